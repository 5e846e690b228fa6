"""Markdown tables of a paired series."""
from collections.abc import Sequence
from typing import Any

from isda_seg.paper.result_tables import markdown, mean_sd
from isda_seg.paper.series.measure_names import arm_names, decimals, display_names, row_name
from isda_seg.paper.series.paired import OF_CLASSES, measures
from isda_seg.paper.series.result_files import DIVERGED

MANY = 3  # minimum number of arms for a combined table


def paired_table(paired: dict[str, Any], class_arm: str | None = None) -> str:
    """Return the tables: arms side by side, differences by measure, and differences by class.

    With ``MANY`` arms or more, a single table holds the differences of all arms. The classes are shown for
    ``class_arm``, or for all arms if it is None.
    """
    arms = paired['comparisons']
    blocks = [side_by_side(paired)] if len(arms) > 1 else []
    blocks += filter(None, (diverged_sentence(paired, arm) for arm in arms))
    blocks += [_all_arms(paired)] if len(arms) >= MANY else [
        _arm_table(paired, arm) for arm, comparison in arms.items() if comparison['measures']]
    blocks += [class_table(paired, arm) for arm, comparison in arms.items()
               if comparison['classes'] and class_arm in (None, arm)]
    return '\n\n'.join(blocks)


def diverged_sentence(paired: dict[str, Any], arm: str) -> str:
    """Return a sentence on the diverged runs, or ''."""
    names = dict(baseline=next(iter(paired['runs'])), arm=arm)
    runs = [f'`{names[side]}` seed {seed}' for side, seeds in paired['comparisons'][arm].get(DIVERGED, {}).items()
            for seed in seeds]
    return f'Diverged runs, excluded with their pairs: {"; ".join(runs)}.' if runs else ''


def _all_arms(paired: dict[str, Any]) -> str:
    """Return a table with one row per arm and measure."""
    rows = [['arm', 'measure', 'mean', '95 % (paired t)', '95 % (bootstrap)']]
    rows += [[f'`{arm}`', row_name(name), *_mean_and_intervals(entry, decimals(name))]
             for arm, comparison in paired['comparisons'].items() for name, entry in comparison['measures'].items()]
    return (f'Differences to `{next(iter(paired["runs"]))}`, seeds {", ".join(map(str, paired["seeds"]))}, trained at '
            f'commit {", ".join(commits(paired))}:\n\n{markdown(rows)}')


def _mean_and_intervals(entry: dict[str, Any], places: int) -> list[str]:
    return [f'{entry["mean"]:+.{places}f}', interval(entry['t'], places), interval(entry['bootstrap'], places)]


def side_by_side(paired: dict[str, Any]) -> str:
    """Return a table with the mean and standard deviation of every measure, one row per arm."""
    found = {arm: [measures(result) for result in runs.values() if DIVERGED not in result]
             for arm, runs in paired['runs'].items()}
    names = list(dict.fromkeys(name for runs in found.values() for run in runs[:1] for name in run))
    rows = [f'| | {" | ".join(map(row_name, names))} |', '|---' * (1 + len(names)) + '|']
    for arm, runs in found.items():
        means = [mean_sd([run[name] for run in runs if name in run], decimals(name)) for name in names]
        rows.append(f'| `{arm}` | {" | ".join(means)} |')
    return '\n'.join(rows)


def _arm_table(paired: dict[str, Any], arm: str) -> str:
    comparison = paired['comparisons'][arm]
    seeds = ', '.join(map(str, comparison.get('seeds', paired['seeds'])))
    first = next(iter(comparison['measures']))
    baseline = next(iter(paired['runs']))
    left, right = arm_names(baseline, arm)
    rows = [f'`{arm}` minus `{baseline}`, {display_names(first).heading}, seeds {seeds}, trained at commit '
            f'{", ".join(commits(paired))}:', '',
            f'| | {left} | {right} | difference by seed | mean | 95 % (paired t) | 95 % (bootstrap) |',
            '|---|---|---|---|---|---|---|']
    for name, entry in comparison['measures'].items():
        places = decimals(name)
        by_seed = ' '.join(f'{value:+.{places}f}' for value in entry['by_seed'])
        rows.append(f'| {row_name(name)} | {entry["baseline"]:.{places}f} | {entry["arm"]:.{places}f} | {by_seed} '
                    f'| {" | ".join(_mean_and_intervals(entry, places))} |')
    return '\n'.join(rows)


def class_table(paired: dict[str, Any], arm: str) -> str:
    """Return a table with IoU and, if measured, precision, recall and AP, one row per class."""
    comparison = paired['comparisons'][arm]
    kinds = {'IoU': comparison['classes'],
             **{kind: comparison[kind] for kind in OF_CLASSES if comparison.get(kind)}}
    rows = [['class', 'baseline IoU', *kinds]]
    for name, iou in comparison['classes'].items():
        entries = [kind.get(name) for kind in kinds.values()]
        rows.append([name, f'{iou["baseline"]:.2f}', *(
            f'{entry["mean"]:+.2f}{in_parentheses(entry["t"])}' if entry else '' for entry in entries)])
    baseline = next(iter(paired['runs']))
    return f'`{arm}` minus `{baseline}`, mean difference and 95 % CI of each class:\n\n{markdown(rows)}'


def in_parentheses(bounds: Sequence[float] | None, places: int = 2) -> str:
    """Format an interval in parentheses after a mean; '' without an interval."""
    return f' ({interval(bounds, places)})' if bounds else ''


def commits(paired: dict[str, Any]) -> list[str]:
    """Return the commits of the training runs."""
    return sorted({run['commit'] for arm in paired['runs'].values() for result in arm.values()
                   for run in result['training']})


def interval(bounds: Sequence[float] | None, places: int = 2) -> str:
    """Format an interval; '' without an interval."""
    return '' if bounds is None else f'{bounds[0]:+.{places}f} to {bounds[1]:+.{places}f}'
