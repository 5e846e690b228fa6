"""Figure of a paired series."""
import math
import os
import statistics
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.measure_names import arm_names, display_names, is_main, row_name
from isda_seg.paper.series.paired import half_width
from isda_seg.paper.series.result_files import DIVERGED

ROWS = 2   # maximum number of arms with separate rows
WIDE = 75  # characters above an axis
FAR = 10   # times the median extent, beyond which an arm is drawn at the edge so that the others stay readable


def draw_paired(paired: dict[str, Any], out: str | Path) -> None:
    """Draw one row per arm: differences by seed and protocol on the left, per-class means with intervals on the right.

    More than ``ROWS`` arms are drawn next to each other, each with its mean difference and interval.
    """
    arms = {arm: comparison for arm, comparison in paired['comparisons'].items() if comparison['measures']}
    if not arms:
        figure = Figure(figsize=(6, 1))
        axis = figure.subplots()
        axis.set_axis_off()
        axis.text(0.5, 0.5, 'no pairs: a run of every pair diverged', ha='center')
        figure.tight_layout()
    elif len(arms) > ROWS:
        figure = draw_many_arms(paired['comparisons'])
    else:
        figure = _draw_rows(paired, arms)
    save_figure(figure, out)


def _draw_rows(paired: dict[str, Any], arms: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(10, 3.8 * len(arms)))
    axes = figure.subplots(len(arms), 2, squeeze=False)
    for (arm, comparison), (left, right) in zip(arms.items(), axes, strict=True):
        main = {name: entry for name, entry in comparison['measures'].items() if is_main(name)}
        _draw_differences(left, main, list(comparison.get('seeds', paired['seeds'])))
        first = next(iter(comparison['measures']))
        minus = ' minus '.join(reversed(arm_names(next(iter(paired['runs'])), arm)))
        left.set(title=textwrap.fill(arm, WIDE) + _diverged(comparison),
                 ylabel=f'{display_names(first).axis}, {minus}')
        left.title.set_fontsize(7)
        if not comparison['classes']:
            right.set_axis_off()
            continue
        _draw_classes(right, comparison['classes'])
        right.set(title=f'IoU by class, {minus}', xlabel='points')
        right.title.set_fontsize(8)
    figure.tight_layout()
    return figure


def _diverged(comparison: dict[str, Any]) -> str:
    """Return the note on excluded pairs, or ''."""
    seeds = {seed for side in comparison.get(DIVERGED, {}).values() for seed in side}
    return f'\n{len(seeds)} excluded: a run diverged' if seeds else ''


def draw_many_arms(arms: dict[str, Any]) -> Figure:
    """Draw the main measure and, if available, the NLL for all arms, labelled by their distinguishing options.

    The position of an arm without pairs stays empty.
    """
    prefix, parts, suffix = split_names(list(arms))
    short = short_options(list(arms))
    labels = ['\n'.join(short.get(word, word) for word in name.split()) or 'unchanged' for name in parts]
    labels = [label + _diverged(comparison) for label, comparison in zip(labels, arms.values(), strict=True)]
    measures = next(list(comparison['measures']) for comparison in arms.values() if comparison['measures'])
    shown = [measures[0], 'nll'] if 'nll' in measures else measures[:1]
    figure = Figure(figsize=(5.5 * len(shown), 3.8), layout='constrained')
    for axis, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        _draw_arms(axis, {place: comparison['measures'][name] for place, comparison in enumerate(arms.values())
                          if comparison['measures']})
        axis.set_xticks(range(len(arms)), labels, rotation=30, ha='right', fontsize=8)
        axis.set(title=f'{row_name(name)}: arm minus baseline, mean and 95 % (paired t)',
                 xlabel=f'{prefix}...{suffix}' if suffix or prefix.endswith('_') else prefix.strip(' .='))
        axis.title.set_fontsize(8)
        axis.xaxis.label.set_fontsize(8)
        axis.grid(axis='y', alpha=0.3)
    return figure


def _draw_arms(axis: Axes, entries: dict[int, dict[str, Any]]) -> None:
    """Draw means and intervals; an arm far outside is drawn at the edge with its value."""
    errors = [_error(entry) for entry in entries.values()]
    means = [entry['mean'] for entry in entries.values()]
    axis.errorbar(list(entries), means, errors, fmt='ks', capsize=4, markersize=5)
    axis.axhline(0, color='0.5', linewidth=1)
    extents = [abs(mean) + error for mean, error in zip(means, errors, strict=True)]
    near = [extent for extent in extents if extent <= FAR * statistics.median(extents)]
    edge = 1.5 * max(near)
    if len(near) == len(extents) or edge == 0:
        return
    axis.set_ylim(-edge, edge)
    for place, mean in zip(entries, means, strict=True):
        if abs(mean) > edge:
            top = math.copysign(edge, mean)
            axis.annotate(f'{mean:+.3g}', (place, top), (place, 0.7 * top), ha='center', va='center', fontsize=8,
                          bbox=dict(fc='white', ec='none'), arrowprops=dict(arrowstyle='->'))


def split_names(names: list[str]) -> tuple[str, list[str], str]:
    """Split names into common prefix, distinguishing parts and common suffix, at word boundaries."""
    prefix = os.path.commonprefix([f'{name} ' for name in names])
    prefix = prefix[:max(prefix.rfind(mark) for mark in ' .=_') + 1]
    parts = [f'{name} '.removeprefix(prefix).rstrip() for name in names]
    suffix = os.path.commonprefix([part[::-1] for part in parts])[::-1]
    suffix = suffix[min((suffix.find(mark) for mark in ' _' if mark in suffix), default=len(suffix)):]
    if not suffix or suffix in parts:
        return prefix, parts, ''
    return prefix, [part.removesuffix(suffix) for part in parts], suffix


def short_options(names: list[str]) -> dict[str, str]:
    """Map each key=value to a form with only the last part of the key, if that is unambiguous."""
    options = {word: word.partition('=')[0] for name in names for word in name.split() if '=' in word}
    last_parts = Counter(key.split('.')[-1] for key in set(options.values()))
    return {option: option.replace(key, last, 1) for option, key in options.items()
            if last_parts[last := key.split('.')[-1]] == 1}


def _draw_differences(axis: Axes, entries: dict[str, Any], seeds: list[int]) -> None:
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


def _draw_classes(axis: Axes, entries: dict[str, Any]) -> None:
    for y, entry in enumerate(entries.values()):
        axis.errorbar(entry['mean'], y, xerr=_error(entry), fmt='ks', capsize=3, markersize=4)
    axis.axvline(0, color='0.5', linewidth=1)
    axis.set_yticks(range(len(entries)), list(entries), fontsize=7)
    axis.invert_yaxis()
    axis.grid(axis='x', alpha=0.3)


def _error(entry: dict[str, Any]) -> float:
    return half_width(entry['mean'], entry['t'])
