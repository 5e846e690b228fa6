"""Figure of a tightness result: over training (Fig. 9), over the strength and over the number of classes."""
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isda_seg.paper.figures import save_figure

Points = dict[float, list[dict[str, Any]]]  # setting -> entries of all seeds
LINES = {'bound': ('bound', 'C3'), 'expected': ('expectation', 'C0'), 'cross_entropy': ('cross-entropy', '0.4')}


def draw_tightness(result: dict[str, Any], out: str | Path) -> None:
    """Draw one row per head: means over seeds, with bands of one standard deviation for several seeds."""
    heads, seeds = list(result['final']), len(result['runs'])
    figure = Figure(figsize=(13, 3.9 * len(heads)), layout='constrained')
    for head, (training, strength, classes) in zip(heads, figure.subplots(len(heads), 3, squeeze=False), strict=True):
        _draw_training(training, head, _group(result, 'points', head, 'step'))
        _draw_gaps(strength, _group(result, 'strengths', head, 'strength'))
        _draw_ratio(classes, _group(result, 'classes', head, 'classes'))
    seeds_text = f'{seeds} seeds, bands of one standard deviation' if seeds > 1 else '1 seed'
    figure.suptitle(f'{Path(result["config"]).stem}, {seeds_text}, {result["samples"]} samples of the augmentation',
                    fontsize=10)
    save_figure(figure, out)


def _group(result: dict[str, Any], part: str, head: str, key: str) -> Points:
    """Group the entries of a head over all seeds by a key."""
    groups: Points = defaultdict(list)
    for run in result['runs'].values():
        for entry in run[part]:
            if entry['head'] == head:
                groups[entry[key]].append(entry)
    return dict(sorted(groups.items()))


def _draw_training(axis: Axes, head: str, points: Points) -> None:
    steps, last = list(points), list(points.values())[-1][0]
    for name, (label, colour) in LINES.items():
        _draw_band(axis, steps, [[entry[name] for entry in entries] for entries in points.values()], label, colour)
    errors = [1.96 * np.sqrt(sum(entry['standard_error'] ** 2 for entry in entries)) / len(entries)
              for entries in points.values()]
    means = [np.mean([entry['expected'] for entry in entries]) for entries in points.values()]
    axis.errorbar(steps, means, errors, fmt='none', color=LINES['expected'][1], capsize=2, label='95 %, Monte Carlo')
    axis.set(xlabel=last['unit'], ylabel='loss (nats)')
    axis.locator_params('x', integer=True)
    _finish(axis, f'{head}, training with lambda up to {last["strength"]:g}')


def _draw_gaps(axis: Axes, points: Points) -> None:
    points = {strength: entries for strength, entries in points.items() if strength > 0}  # the axes are logarithmic
    for name in ('bound', 'expected'):
        label, colour = LINES[name]
        gaps = [[entry[name] - entry['cross_entropy'] for entry in entries] for entries in points.values()]
        _draw_band(axis, list(points), gaps, f'{label} minus cross-entropy', colour)
    axis.set(xlabel='strength lambda', ylabel='gap (nats)', xscale='log', yscale='log')
    axis.set_xticks(list(points), [f'{strength:g}' for strength in points])
    axis.set_xticks([], minor=True)
    _finish(axis, 'trained model, other strengths')


def _draw_ratio(axis: Axes, points: Points) -> None:
    ratios = {classes: values for classes, entries in points.items()
              if (values := [entry['gap_ratio'] for entry in entries if entry['gap_ratio'] is not None])}
    _draw_band(axis, list(ratios), list(ratios.values()), '(bound - CE) / (expectation - CE)', 'k')
    axis.axhline(1, color='0.5', linewidth=1, linestyle='--', label='exact')
    axis.set(xlabel='classes in the softmax', ylabel='ratio of the gaps', xscale='log')
    axis.set_xticks(list(ratios), [str(classes) for classes in ratios])
    axis.set_xticks([], minor=True)
    _finish(axis, 'trained model at lambda_0, random sets of its classes')


def _draw_band(axis: Axes, x: Sequence[float], values: Sequence[Sequence[float]], label: str, colour: str) -> None:
    mean = np.array([np.mean(seeds) for seeds in values])
    axis.plot(x, mean, marker='.', label=label, color=colour)
    deviation = np.array([np.std(seeds, ddof=1) if len(seeds) > 1 else 0.0 for seeds in values])
    if deviation.any():
        axis.fill_between(x, mean - deviation, mean + deviation, alpha=0.2, color=colour)


def _finish(axis: Axes, title: str) -> None:
    axis.set_title(title, fontsize=9)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
