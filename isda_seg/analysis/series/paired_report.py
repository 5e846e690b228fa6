"""The table and the figure of a paired series, from its result file."""
import textwrap
from pathlib import Path
from typing import Any

import matplotlib

from isda_seg.analysis.series.measure_names import decimals, is_chief, row_name, wording
from isda_seg.analysis.series.paired import measures
from isda_seg.analysis.tables.rows import average

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

WIDE = 75  # characters above an axis


def paired_table(paired: dict[str, Any]) -> str:
    """Markdown: several arms side by side; a table per arm, a row per measure, then a row per class of the first."""
    beside = [side_by_side(paired)] if len(paired['comparisons']) > 1 else []
    return '\n\n'.join([*beside, *(_arm_table(paired, arm) for arm in paired['comparisons'])])


def side_by_side(paired: dict[str, Any]) -> str:
    """Markdown: a row per arm with the mean and standard deviation of every measure, the baseline first."""
    found = {arm: [measures(result) for result in runs.values()] for arm, runs in paired['runs'].items()}
    names = list(next(iter(found.values()))[0])
    rows = [f'| | {" | ".join(map(row_name, names))} |', '|---' * (1 + len(names)) + '|']
    for arm, runs in found.items():
        means = [average([run[name] for run in runs if name in run], decimals(name)) for name in names]
        rows.append(f'| `{arm}` | {" | ".join(means)} |')
    return '\n'.join(rows)


def _arm_table(paired: dict[str, Any], arm: str) -> str:
    seeds = ', '.join(map(str, paired['seeds']))
    comparison = paired['comparisons'][arm]
    first = next(iter(comparison['measures']))
    words = wording(first)
    rows = [f'`{arm}` minus `{next(iter(paired["runs"]))}`, {words.heading}, seeds {seeds}, trained at commit '
            f'{", ".join(commits(paired))}:', '',
            f'| | {words.arms[0]} | {words.arms[1]} | difference by seed | mean | 95 % (paired t) | 95 % (bootstrap) |',
            '|---|---|---|---|---|---|---|']
    named = [*((row_name(name), decimals(name), entry) for name, entry in comparison['measures'].items()),
             *((f'{name}, {first}', 2, entry) for name, entry in comparison['classes'].items())]
    for name, places, entry in named:
        by_seed = ' '.join(f'{value:+.{places}f}' for value in entry['by_seed'])
        rows.append(f'| {name} | {entry["baseline"]:.{places}f} | {entry["arm"]:.{places}f} | {by_seed} '
                    f'| {entry["mean"]:+.{places}f} | {interval(entry["t"], places)} '
                    f'| {interval(entry["bootstrap"], places)} |')
    return '\n'.join(rows)


def commits(paired: dict[str, Any]) -> list[str]:
    """The commits the runs were trained at."""
    return sorted({run['commit'] for arm in paired['runs'].values() for result in arm.values()
                   for run in result['training']})


def sentence(paired: dict[str, Any], arm: str) -> str:
    """The answer in one sentence: what the first measure did, how sure that is, over how many pairs."""
    name, entry = next(iter(paired['comparisons'][arm]['measures'].items()))
    sure = '' if entry['t'] is None else f' (95 % interval {interval(entry["t"])})'
    words = wording(name)
    return (f'{entry["mean"]:+.2f} points of {words.measure}{sure}, {words.how}, '
            f'{len(entry["by_seed"])} pairs of seeds, {entry["baseline"]:.2f} % without')


def interval(bounds: list[float] | None, places: int = 2) -> str:
    """From the lower bound to the upper one; '' where it is not known."""
    return '' if bounds is None else f'{bounds[0]:+.{places}f} to {bounds[1]:+.{places}f}'


def draw_paired(paired: dict[str, Any], out: str | Path) -> None:
    """A row per arm: each seed's difference by protocol on the left, per-class means with intervals on the right."""
    arms = paired['comparisons']
    figure, axes = plt.subplots(len(arms), 2, figsize=(10, 3.8 * len(arms)), squeeze=False)
    for (arm, comparison), (left, right) in zip(arms.items(), axes, strict=True):
        chief = {name: entry for name, entry in comparison['measures'].items() if is_chief(name)}
        _draw_differences(left, chief, list(paired['seeds']))
        first = next(iter(comparison['measures']))
        left.set(title=textwrap.fill(arm, WIDE), ylabel=wording(first).axis)
        left.title.set_fontsize(7)
        if not comparison['classes']:
            right.set_axis_off()
            continue
        _draw_classes(right, comparison['classes'])
        right.set(title='IoU by class, ISDA minus plain', xlabel='points')
        right.title.set_fontsize(8)
    figure.tight_layout()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def _draw_differences(axis: Any, entries: dict[str, Any], seeds: list[int]) -> None:
    for number, seed in enumerate(seeds):
        axis.plot(range(len(entries)), [entry['by_seed'][number] for entry in entries.values()], 'o', alpha=0.6,
                  markersize=4, label=f'seed {seed}')
    for x, entry in enumerate(entries.values()):
        axis.errorbar(x + 0.15, entry['mean'], _error(entry), fmt='ks', capsize=4, markersize=5,
                      label='mean, 95 % (paired t)' if x == 0 else None)
    axis.axhline(0, color='0.5', linewidth=1)
    axis.set_xticks(range(len(entries)), list(entries))
    axis.grid(axis='y', alpha=0.3)
    axis.legend(fontsize=6, ncol=3, loc='upper center', bbox_to_anchor=(0.5, -0.08))  # below, where it hides no point


def _draw_classes(axis: Any, entries: dict[str, Any]) -> None:
    for y, entry in enumerate(entries.values()):
        axis.errorbar(entry['mean'], y, xerr=_error(entry), fmt='ks', capsize=3, markersize=4)
    axis.axvline(0, color='0.5', linewidth=1)
    axis.set_yticks(range(len(entries)), list(entries), fontsize=7)
    axis.invert_yaxis()
    axis.grid(axis='x', alpha=0.3)


def _error(entry: dict[str, Any]) -> float:
    return 0.0 if entry['t'] is None else entry['t'][1] - entry['mean']
