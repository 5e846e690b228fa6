"""Tables of the gain of ISDA in recorded paired series: for the README, all settings, and the digits."""
import json
import re
from collections.abc import Sequence
from math import nan
from pathlib import Path
from typing import Any

from docs.gain_series import FITTED, Gain, Recorded, recorded_gains
from docs.series import read_plan
from isda_seg.paper.result_tables import NOT_RUN, markdown
from isda_seg.paper.series.paired_report import in_parentheses
from isda_seg.paper.series.result_files import read_series

TASKS = ('segmentation', 'classification', 'semi-supervised')  # order of the tables; other tasks follow
FRONT_ROWS = {'segmentation': 5, 'classification': 3, 'semi-supervised': 2}  # rows per task in the README
VERDICT = 'Better, worse: the 95 % CI (paired t) excludes zero.'


def front_page(folder: Path, link: str) -> str:
    """Return a table per measure with the settings of each task that have the most pairs, whether better or worse.

    Args:
        folder: folder of the recorded series.
        link: link to the document that shows all settings.
    """
    shown = by_task(recorded_gains(folder).shown)
    if not shown:
        return NOT_RUN
    tables = []
    for measure in dict.fromkeys(row.measure for row in shown):
        groups: dict[str, list[Gain]] = {}
        for row in (row for row in shown if row.measure == measure):
            groups.setdefault(row.task, []).append(row)
        rows = [row for task, group in groups.items() for row in most_pairs(group, FRONT_ROWS.get(task, 1))]
        page = link.partition('#')[0]
        rows = [row._replace(setting=f'[{row.setting}]({page}#{heading(row.series)})') for row in rows]
        tables.append(table(' and '.join(groups), measure, rows))
    return '\n\n'.join([*tables, f'{VERDICT} Shown are a few settings of each task, those with the '
                                  f'most pairs; [all settings, and what is left out]({link}).'])


def heading(title: str) -> str:
    """Return the anchor of a heading in Markdown."""
    return re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-')


def by_task(rows: Sequence[Gain]) -> list[Gain]:
    """Sort the rows in the order of ``TASKS``."""
    return sorted(rows, key=lambda row: TASKS.index(row.task) if row.task in TASKS else len(TASKS))


def most_pairs(rows: Sequence[Gain], number: int) -> list[Gain]:
    """Return the ``number`` rows with the most pairs; ties keep the first; the original order is preserved."""
    kept = sorted(rows, key=lambda row: -row.pairs)[:number]
    return [row for row in rows if row in kept]


def gain(folder: Path, link: str) -> str:
    """Return a table per task and measure with a row per setting, and a note on the excluded series.

    Args:
        link: link to the document that shows all series.
    """
    found = recorded_gains(folder)
    if not found.shown:
        return NOT_RUN
    groups = list(dict.fromkeys((row.task, row.measure) for row in by_task(found.shown)))
    tables = [table(task, measure, [row for row in found.shown if (row.task, row.measure) == (task, measure)])
              for task, measure in groups]
    return '\n\n'.join([*tables, note(found, link)])


def table(task: str, measure: str, rows: Sequence[Gain]) -> str:
    """Return the table of one task and measure."""
    better = 'lower is better' if rows[0].sign < 0 else 'higher is better'
    head = [f'{task}: {measure} in %, {better}', 'pairs', 'baseline', 'ISDA', 'difference (95 % CI)', 'ISDA is']
    cells = [[row.setting, str(row.pairs), f'{row.baseline:.2f}', f'{row.isda:.2f}', difference(row), row.verdict]
             for row in rows]
    return markdown([head, *cells])


def every_arm(folder: Path, task: str) -> str:
    """Return a row per arm of the recorded series of a task whose baseline fits its training images."""
    series = read_series(folder)
    rows = [['setting', 'arm', 'baseline mIoU (%)', 'mIoU', 'pixel accuracy', 'NLL', 'mean AP']]
    for plan in read_plan(folder):
        entry = series.get(plan['name'])
        if entry is None or plan.get('task') != task or plan.get('underfitted'):
            continue
        for arm, comparison in entry['comparisons'].items():
            measures = comparison['measures']
            baseline = next(iter(measures.values()))['baseline'] if measures else nan
            rows.append([plan['setting'], f'`{arm}`', f'{baseline:.2f}',
                         *(_change(measures.get(name), 3 if name == 'nll' else 2)
                           for name in (next(iter(measures), ''), 'aAcc', 'nll', 'mean_AP'))])
    if len(rows) == 1:
        return NOT_RUN
    return f'{markdown(rows)}\n\nDifferences from the baseline, with 95 % CIs (paired t-test).'


def _change(values: dict[str, Any] | None, places: int) -> str:
    """Format the mean difference and its interval; '' if it was not measured."""
    return '' if values is None else f'{values["mean"]:+.{places}f}{in_parentheses(values["t"], places)}'


def difference(row: Gain) -> str:
    """Format ISDA minus baseline with its interval."""
    return f'{row.difference:+.2f}{in_parentheses(row.interval)}'


def note(found: Recorded, link: str) -> str:
    """Return the note below the tables: NLL and the number of excluded series by reason."""
    nll = [row.nll for row in found.shown if row.nll]
    reasons = {f'{found.choices} that selected a setting': found.choices,
               f'{found.on_isda} with ISDA in the baseline': found.on_isda,
               f'{found.combined} whose arms differ from the baseline by more than ISDA': found.combined,
               f'{found.diverged} in which every pair diverged': found.diverged,
               f'{found.repeated} that repeat a row with other seeds (most pairs shown)':
                   found.repeated}
    left_out = '; '.join(reason for reason, number in reasons.items() if number)
    sentences = [VERDICT]
    if nll:
        sentences.append(f'NLL decreases in {sum(high < 0 for _, high in nll)} of {len(nll)} rows and increases in '
                         f'{sum(low > 0 for low, _ in nll)}, by the same rule.')
    sentences.append(f'Left out of [{found.number} recorded series]({link}): {left_out or "none"}.')
    if found.unfitted:
        verdicts = [row.verdict for row in found.unfitted]
        sentences.append(f'In {len(verdicts)} more the baseline underfits its training images (training accuracy '
                         f'below {FITTED:g} %, where measured): ISDA is better in {verdicts.count("better")} and worse '
                         f'in {verdicts.count("worse")} of these.')
    return ' '.join(sentences)


def digits(results: Path) -> str:
    """Return a table of the results of ``make gain`` (gain.json) and its selection (gain_sweep.json)."""
    pairs, sweep = results / 'gain.json', results / 'gain_sweep.json'
    if not pairs.is_file() or not sweep.is_file():
        return NOT_RUN
    entry, tried = json.loads(pairs.read_text()), json.loads(sweep.read_text())
    plain, own = (entry['comparison'][f'{strength:g}'] for strength in (0, entry['lambda_0']))
    rows = [['lower is better', 'pairs', 'baseline', 'ISDA', 'difference (95 % CI)']]
    for measure, name, places in (('error', 'test error in %', 2), ('nll', 'NLL', 3)):
        means = plain[measure]['mean'], own[measure]['mean']
        rows.append([name, str(len(entry['seeds'])), *(f'{mean:.{places}f}' for mean in means),
                     f'{means[1] - means[0]:+.{places}f}{in_parentheses(own[measure]["interval"], places)}'])
    return (f'{markdown(rows)}\n\n`lambda_0` is one of {len(tried["arms"])} values tried on held-out images with other '
            'seeds.')
