"""Markdown tables of a paired series."""
from collections.abc import Sequence
from typing import Any

from isda_seg.paper.result_rows import average
from isda_seg.paper.series.measure_names import arm_names, decimals, row_name, wording
from isda_seg.paper.series.paired import OF_CLASSES, measures
from isda_seg.paper.series.result_files import DIVERGED

MANY = 3  # minimum number of arms for a combined table


def paired_table(paired: dict[str, Any], class_arm: str | None = None) -> str:
    """Return the tables: arms side by side, differences by measure, and differences by class.

    With ``MANY`` arms or more, a single table holds the differences of all arms.

    Args:
        paired: content of the result file.
        class_arm: the arm whose classes are shown; None for all arms.
    """
    arms = paired['comparisons']
    beside = [side_by_side(paired)] if len(arms) > 1 else []
    beside += [sentence for arm in arms if (sentence := left_out(paired, arm))]
    whole = [arm for arm, comparison in arms.items() if comparison['measures']]
    tables = [_all_arms(paired)] if len(arms) >= MANY else [_arm_table(paired, arm) for arm in whole]
    classes = [class_table(paired, arm) for arm, comparison in arms.items()
               if comparison['classes'] and class_arm in (None, arm)]
    return '\n\n'.join([*beside, *tables, *classes])


def left_out(paired: dict[str, Any], arm: str) -> str:
    """Return a sentence on the diverged runs, or ''."""
    gone = paired['comparisons'][arm].get(DIVERGED)
    if not gone:
        return ''
    names = dict(baseline=next(iter(paired['runs'])), arm=arm)
    which = '; '.join(f'`{names[side]}` seed {seed}' for side, seeds in gone.items() for seed in seeds)
    return f'Diverged runs, excluded with their pairs: {which}.'


def _all_arms(paired: dict[str, Any]) -> str:
    """Return a table with one row per arm and measure."""
    rows = [f'Differences to `{next(iter(paired["runs"]))}`, seeds {", ".join(map(str, paired["seeds"]))}, trained at '
            f'commit {", ".join(commits(paired))}:', '',
            '| arm | measure | mean | 95 % (paired t) | 95 % (bootstrap) |', '|---|---|---|---|---|']
    for arm, comparison in paired['comparisons'].items():
        for name, entry in comparison['measures'].items():
            places = decimals(name)
            rows.append(f'| `{arm}` | {row_name(name)} | {entry["mean"]:+.{places}f} | {interval(entry["t"], places)} '
                        f'| {interval(entry["bootstrap"], places)} |')
    return '\n'.join(rows)


def side_by_side(paired: dict[str, Any]) -> str:
    """Return a table with the mean and standard deviation of every measure, one row per arm."""
    found = {arm: [measures(result) for result in runs.values() if DIVERGED not in result]
             for arm, runs in paired['runs'].items()}
    names = list(dict.fromkeys(name for runs in found.values() for run in runs[:1] for name in run))
    rows = [f'| | {" | ".join(map(row_name, names))} |', '|---' * (1 + len(names)) + '|']
    for arm, runs in found.items():
        means = [average([run[name] for run in runs if name in run], decimals(name)) for name in names]
        rows.append(f'| `{arm}` | {" | ".join(means)} |')
    return '\n'.join(rows)


def _arm_table(paired: dict[str, Any], arm: str) -> str:
    comparison = paired['comparisons'][arm]
    seeds = ', '.join(map(str, comparison.get('seeds', paired['seeds'])))
    first = next(iter(comparison['measures']))
    baseline = next(iter(paired['runs']))
    plain, isda = arm_names(baseline, arm)
    rows = [f'`{arm}` minus `{baseline}`, {wording(first).heading}, seeds {seeds}, trained at commit '
            f'{", ".join(commits(paired))}:', '',
            f'| | {plain} | {isda} | difference by seed | mean | 95 % (paired t) | 95 % (bootstrap) |',
            '|---|---|---|---|---|---|---|']
    for name, entry in comparison['measures'].items():
        places = decimals(name)
        by_seed = ' '.join(f'{value:+.{places}f}' for value in entry['by_seed'])
        rows.append(f'| {row_name(name)} | {entry["baseline"]:.{places}f} | {entry["arm"]:.{places}f} | {by_seed} '
                    f'| {entry["mean"]:+.{places}f} | {interval(entry["t"], places)} '
                    f'| {interval(entry["bootstrap"], places)} |')
    return '\n'.join(rows)


def class_table(paired: dict[str, Any], arm: str) -> str:
    """Return a table with IoU and, if measured, precision, recall and AP, one row per class."""
    comparison = paired['comparisons'][arm]
    known = {'IoU': comparison['classes'],
             **{kind: comparison[kind] for kind in OF_CLASSES if comparison.get(kind)}}
    baseline = next(iter(paired['runs']))
    rows = [f'`{arm}` minus `{baseline}`, classes, mean and 95 % (paired t):', '',
            f'| class | {arm_names(baseline, arm)[0]} IoU | {" | ".join(known)} |', '|---' * (2 + len(known)) + '|']
    for name, entry in comparison['classes'].items():
        found = [entries.get(name) for entries in known.values()]
        cells = [f'{entry["mean"]:+.2f}{in_brackets(entry["t"])}' if entry else '' for entry in found]
        rows.append(f'| {name} | {entry["baseline"]:.2f} | {" | ".join(cells)} |')
    return '\n'.join(rows)


def in_brackets(bounds: Sequence[float] | None, places: int = 2) -> str:
    """Format an interval in parentheses after a mean; '' without an interval."""
    return f' ({interval(bounds, places)})' if bounds else ''


def commits(paired: dict[str, Any]) -> list[str]:
    """Return the commits of the training runs."""
    return sorted({run['commit'] for arm in paired['runs'].values() for result in arm.values()
                   for run in result['training']})


def interval(bounds: Sequence[float] | None, places: int = 2) -> str:
    """Format an interval; '' without an interval."""
    return '' if bounds is None else f'{bounds[0]:+.{places}f} to {bounds[1]:+.{places}f}'
