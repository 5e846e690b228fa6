"""Figure of a paired series."""
import math
import os
import statistics
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib

from isda_seg.paper.series.measure_names import arm_names, is_chief, row_name, wording
from isda_seg.paper.series.paired import half_width
from isda_seg.paper.series.result_files import DIVERGED

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

ROWS = 2   # maximum number of arms with separate rows
WIDE = 75  # characters above an axis
FAR = 10   # times the median extent, beyond which an arm is drawn at the edge so that the others stay readable


def draw_paired(paired: dict[str, Any], out: str | Path) -> None:
    """Draw one row per arm: differences by seed and protocol on the left, per-class means with intervals on the right.

    More than ``ROWS`` arms are drawn next to each other, each with its mean difference and interval.
    """
    arms = {arm: comparison for arm, comparison in paired['comparisons'].items() if comparison['measures']}
    if not arms:
        figure, axis = plt.subplots(figsize=(6, 1))
        axis.set_axis_off()
        axis.text(0.5, 0.5, 'no pairs: a run of every pair diverged', ha='center')
        _save(figure, out)
        return
    if len(arms) > ROWS:
        _save(beside_each_other(paired['comparisons']), out)
        return
    figure, axes = plt.subplots(len(arms), 2, figsize=(10, 3.8 * len(arms)), squeeze=False)
    for (arm, comparison), (left, right) in zip(arms.items(), axes, strict=True):
        chief = {name: entry for name, entry in comparison['measures'].items() if is_chief(name)}
        _draw_differences(left, chief, list(comparison.get('seeds', paired['seeds'])))
        first = next(iter(comparison['measures']))
        plain, isda = arm_names(next(iter(paired['runs'])), arm)
        left.set(title=textwrap.fill(arm, WIDE) + _diverged(comparison),
                 ylabel=f'{wording(first).axis}, {isda} minus {plain}')
        left.title.set_fontsize(7)
        if not comparison['classes']:
            right.set_axis_off()
            continue
        _draw_classes(right, comparison['classes'])
        right.set(title=f'IoU by class, {isda} minus {plain}', xlabel='points')
        right.title.set_fontsize(8)
    _save(figure, out)


def _diverged(comparison: dict[str, Any]) -> str:
    """Return the note on excluded pairs, or ''."""
    gone = {seed for seeds in comparison.get(DIVERGED, {}).values() for seed in seeds}
    return f'\n{len(gone)} excluded: a run diverged' if gone else ''


def _save(figure: Any, out: str | Path) -> None:
    if figure.get_layout_engine() is None:
        figure.tight_layout()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def beside_each_other(arms: dict[str, Any]) -> Any:
    """Draw the main measure and, if available, the NLL for all arms, labelled by their distinguishing options.

    The position of an arm without pairs stays empty.
    """
    before, own, after = parts_of(list(arms))
    short = short_options(list(arms))
    labels = ['\n'.join(short.get(word, word) for word in name.split()) or 'unchanged' for name in own]
    labels = [label + _diverged(comparison) for label, comparison in zip(labels, arms.values(), strict=True)]
    measures = next(list(comparison['measures']) for comparison in arms.values() if comparison['measures'])
    shown = [measures[0], *(name for name in ('nll',) if name in measures)]
    figure, axes = plt.subplots(1, len(shown), figsize=(5.5 * len(shown), 3.8), squeeze=False, layout='constrained')
    for axis, name in zip(axes[0], shown, strict=True):
        _draw_arms(axis, {place: comparison['measures'][name] for place, comparison in enumerate(arms.values())
                          if comparison['measures']})
        axis.set_xticks(range(len(arms)), labels, rotation=30, ha='right', fontsize=8)
        axis.set(title=f'{row_name(name)}: arm minus baseline, mean and 95 % (paired t)',
                 xlabel=f'{before}...{after}' if after or before.endswith('_') else before.strip(' .='))
        axis.title.set_fontsize(8)
        axis.xaxis.label.set_fontsize(8)
        axis.grid(axis='y', alpha=0.3)
    return figure


def _draw_arms(axis: Any, entries: dict[int, dict[str, Any]]) -> None:
    """Draw means and intervals; an arm far outside is drawn at the edge with its value."""
    errors = [_error(entry) for entry in entries.values()]
    means = [entry['mean'] for entry in entries.values()]
    axis.errorbar(list(entries), means, errors, fmt='ks', capsize=4, markersize=5)
    axis.axhline(0, color='0.5', linewidth=1)
    reach = [abs(mean) + error for mean, error in zip(means, errors, strict=True)]
    near = [value for value in reach if value <= FAR * statistics.median(reach)]
    edge = 1.5 * max(near)
    if len(near) == len(reach) or edge == 0:
        return
    axis.set_ylim(-edge, edge)
    for place, mean in zip(entries, means, strict=True):
        if abs(mean) > edge:
            top = math.copysign(edge, mean)
            axis.annotate(f'{mean:+.3g}', (place, top), (place, 0.7 * top), ha='center', va='center', fontsize=8,
                          bbox=dict(fc='white', ec='none'), arrowprops=dict(arrowstyle='->'))


def parts_of(names: list[str]) -> tuple[str, list[str], str]:
    """Split names into common prefix, distinguishing parts and common suffix, at word boundaries."""
    before = os.path.commonprefix([f'{name} ' for name in names])
    before = before[:max(before.rfind(mark) for mark in ' .=_') + 1]
    own = [f'{name} '.removeprefix(before).rstrip() for name in names]
    after = os.path.commonprefix([name[::-1] for name in own])[::-1]
    after = after[min((after.find(mark) for mark in ' _' if mark in after), default=len(after)):]
    if not after or after in own:
        return before, own, ''
    return before, [name.removesuffix(after) for name in own], after


def short_options(names: list[str]) -> dict[str, str]:
    """Map each key=value to a form with only the last part of the key, if that is unambiguous."""
    options = {word: word.partition('=')[0] for name in names for word in name.split() if '=' in word}
    ends = Counter(_last_part(key) for key in set(options.values()))
    return {option: option.replace(key, _last_part(key), 1) for option, key in options.items()
            if ends[_last_part(key)] == 1}


def _last_part(key: str) -> str:
    return key.rsplit('.')[-1]


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
    axis.legend(fontsize=6, ncol=3, loc='upper center', bbox_to_anchor=(0.5, -0.08))


def _draw_classes(axis: Any, entries: dict[str, Any]) -> None:
    for y, entry in enumerate(entries.values()):
        axis.errorbar(entry['mean'], y, xerr=_error(entry), fmt='ks', capsize=3, markersize=4)
    axis.axvline(0, color='0.5', linewidth=1)
    axis.set_yticks(range(len(entries)), list(entries), fontsize=7)
    axis.invert_yaxis()
    axis.grid(axis='x', alpha=0.3)


def _error(entry: dict[str, Any]) -> float:
    return half_width(entry['mean'], entry['t'])
