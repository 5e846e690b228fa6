"""Result of a reproduced table: one file to contribute, and a comparison with the paper's numbers."""
import math
from statistics import fmean
from typing import Any

from isda_seg.paper.reproduce.catalogue import Row
from isda_seg.paper.reproduce.plan import Plan
from isda_seg.paper.result_tables import markdown, mean_sd
from isda_seg.paper.series.arm import parse_arm
from isda_seg.paper.series.measure_names import row_name
from isda_seg.paper.series.paired import compare_arms, measures
from isda_seg.paper.series.paired_report import interval
from isda_seg.paper.series.result_files import DIVERGED, REPRODUCTION
from isda_seg.paper.series.training_runs import read_result
from isda_seg.runtime.provenance import provenance

NOTE = ('In range: within two standard deviations of the difference from the paper\'s value, '
        '2 s sqrt(1 + 1/n) for n runs, where s is the largest standard deviation over seeds that is reported.')


def collect(plan: Plan) -> dict[str, Any]:
    """Return the content of the result file, from the results that exist.

    Returns:
        ``provenance`` and {'kind', 'table', 'seeds', 'options', 'runs': {arm: {seed: result}}, 'comparisons':
        {arm: as ``compare_arms``, over the seeds of both arms}, 'gpus': {arm: GPUs per run}, 'missing': names of runs}.
    """
    runs: dict[str, dict[str, dict[str, Any]]] = {}
    missing, gpus = [], {}
    for planned in plan.runs:
        result = read_result(plan.folder / planned.run.name, planned.test)
        if result is None:
            missing.append(planned.run.name)
        else:
            runs.setdefault(planned.arm.label, {})[str(planned.seed)] = result
            gpus[planned.arm.label] = planned.ranks
    comparisons = {}
    for row in plan.table.rows:
        if row.baseline:
            arm, baseline = (runs.get(parse_arm(text).label, {}) for text in (row.arm, row.baseline))
            both = [seed for seed in baseline if seed in arm]
            if both:
                comparisons[parse_arm(row.arm).label] = compare_arms(*({seed: side[seed] for seed in both}
                                                                       for side in (baseline, arm)))
    return dict(provenance(), kind=REPRODUCTION, table=plan.name, seeds=list(plan.seeds), options=dict(plan.options),
                runs=runs, comparisons=comparisons, gpus=gpus, missing=missing)


def table_text(plan: Plan, record: dict[str, Any]) -> str:
    """Return the table: a line per row and measure with the paper's value, the toolbox's, ours and the difference."""
    toolbox = any(row.toolbox for row in plan.table.rows)
    rows = [['row', 'measure', 'paper', *(['MMSegmentation, baseline'] if toolbox else []), 'here', 'runs', 'in range',
             'difference, paper', 'difference here (95 %)']]
    by_arm = {row.arm: row for row in plan.table.rows}
    for row in plan.table.rows:
        label = parse_arm(row.arm).label
        found = [measures(result) for result in record['runs'].get(label, {}).values() if DIVERGED not in result]
        diverged = len(record['runs'].get(label, {})) - len(found)
        for measure in plan.table.measures:
            values = [values[key] for values in found if (key := _measured(values, measure))]
            rows.append([row.name, row_name(measure), _number(row.paper.get(measure)),
                         *([_number(row.toolbox.get(measure))] if toolbox else []), mean_sd(values),
                         f'{len(values)}{f", {diverged} diverged" if diverged else ""}',
                         '' if plan.options else in_range(row, measure, values),
                         _papers_difference(row, by_arm.get(row.baseline), measure),
                         _difference(record['comparisons'].get(label, {}).get('measures', {}), measure)])
    spreads = sorted({row.spread for row in plan.table.rows if row.spread})
    known = '; '.join(f'{low:g} to {high:g}' for low, high in spreads)
    blocks = [f'{plan.table.title}, in per cent, seeds {", ".join(map(str, plan.seeds))}:', markdown(rows), NOTE,
              f'Reported standard deviations over seeds: {known}.' if known else 'No standard deviation over seeds is '
              'reported for this table.']
    blocks += ['MMSegmentation\'s ms-flip averages six scales, the paper\'s and ours four.'] if toolbox else []
    if plan.options:
        blocks.append('The configs were changed with --cfg-options: the numbers do not compare with the paper.')
    if record['missing']:
        blocks.append(f'{len(record["missing"])} of {len(plan.runs)} runs are missing: {", ".join(record["missing"])}.')
    return '\n\n'.join(blocks)


def in_range(row: Row, measure: str, values: list[float]) -> str:
    """Return 'yes', 'above' or 'below' for the mean of some runs; '' without a value or a reported deviation."""
    if not values or measure not in row.paper or row.spread is None:
        return ''
    gap = fmean(values) - row.paper[measure]
    if abs(gap) <= 2 * row.spread[1] * math.sqrt(1 + 1 / len(values)):
        return 'yes'
    return 'above' if gap > 0 else 'below'


def _measured(values: dict[str, float], measure: str) -> str | None:
    """Return the name of a measure in a result, which may average another number of last evaluations."""
    if measure in values:
        return measure
    return next((name for name in values if name.partition('_last')[0] == measure.partition('_last')[0]), None)


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.2f}'


def _papers_difference(row: Row, baseline: Row | None, measure: str) -> str:
    if baseline is None or measure not in row.paper or measure not in baseline.paper:
        return ''
    return f'{row.paper[measure] - baseline.paper[measure]:+.2f}'


def _difference(found: dict[str, dict[str, Any]], measure: str) -> str:
    name = _measured({key: 0.0 for key in found}, measure)
    if name is None:
        return ''
    bounds = interval(found[name]['t'])
    return f'{found[name]["mean"]:+.2f}' + (f' ({bounds})' if bounds else '')
