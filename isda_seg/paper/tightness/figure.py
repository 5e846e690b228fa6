"""Figure of a tightness result: over training (Fig. 9), over the strength and over the number of classes."""
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

LINES = {'bound': ('bound', 'C3'), 'expected': ('expectation', 'C0'),
         'cross_entropy': ('cross-entropy', '0.4')}


def draw_tightness(result: dict[str, Any], out: str | Path) -> None:
    """Draw one row per head: means over seeds, with bands of one standard deviation for several seeds."""
    heads = list(result['final'])
    figure, axes = plt.subplots(len(heads), 3, figsize=(13, 3.9 * len(heads)), squeeze=False, layout='constrained')
    for head, (training, strength, classes) in zip(heads, axes, strict=True):
        _draw_training(training, head, _by(result, 'points', head, 'step'))
        _draw_gaps(strength, _by(result, 'strengths', head, 'strength'))
        _draw_ratio(classes, _by(result, 'classes', head, 'classes'))
    many = len(result["runs"]) > 1
    seeds = f"{len(result['runs'])} seeds, bands of one standard deviation" if many else "1 seed"
    figure.suptitle(f'{Path(result["config"]).stem}, {seeds}, {result["draws"]} draws per sample', fontsize=10)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def _by(result: dict[str, Any], what: str, head: str, key: str) -> dict[float, list[dict[str, Any]]]:
    """Group the entries of a head over all seeds by a key."""
    found: dict[float, list[dict[str, Any]]] = defaultdict(list)
    for run in result['runs'].values():
        for entry in run[what]:
            if entry['head'] == head:
                found[entry[key]].append(entry)
    return dict(sorted(found.items()))


def _draw_training(axis: Any, head: str, points: dict[float, list[dict[str, Any]]]) -> None:
    steps, last = list(points), list(points.values())[-1][0]
    for name, (label, colour) in LINES.items():
        _band(axis, steps, [[one[name] for one in own] for own in points.values()], label, colour)
    error = [1.96 * np.sqrt(sum(one['standard_error'] ** 2 for one in own)) / len(own) for own in points.values()]
    axis.errorbar(steps, [np.mean([one['expected'] for one in own]) for own in points.values()], error, fmt='none',
                  color=LINES['expected'][1], capsize=2, label='95 %, Monte Carlo')
    axis.set(xlabel=last['unit'], ylabel='loss (nats)')
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_title(f'{head}, training with lambda up to {last["strength"]:g}', fontsize=9)
    _finish(axis)


def _draw_gaps(axis: Any, points: dict[float, list[dict[str, Any]]]) -> None:
    points = {strength: own for strength, own in points.items() if strength > 0}  # the axes are logarithmic
    for name in ('bound', 'expected'):
        label, colour = LINES[name]
        _band(axis, list(points), [[one[name] - one['cross_entropy'] for one in own] for own in points.values()],
              f'{label} minus cross-entropy', colour)
    axis.set(xlabel='strength lambda', ylabel='gap (nats)', xscale='log', yscale='log')
    axis.set_title('trained model, other strengths', fontsize=9)
    axis.set_xticks(list(points), [f'{strength:g}' for strength in points])
    axis.set_xticks([], minor=True)
    _finish(axis)


def _draw_ratio(axis: Any, points: dict[float, list[dict[str, Any]]]) -> None:
    known = {k: ratios for k, own in points.items()
             if (ratios := [one['gap_ratio'] for one in own if one['gap_ratio'] is not None])}
    _band(axis, list(known), list(known.values()), '(bound - CE) / (expectation - CE)', 'k')
    axis.axhline(1, color='0.5', linewidth=1, linestyle='--', label='exact')
    axis.set(xlabel='classes in the softmax', ylabel='ratio of the gaps', xscale='log')
    axis.set_title('trained model at lambda_0, random sets of its classes', fontsize=9)
    axis.set_xticks(list(known), [str(k) for k in known])
    axis.set_xticks([], minor=True)
    _finish(axis)


def _band(axis: Any, places: list[float], values: list[list[float]], label: str, colour: str) -> None:
    mean = np.array([np.mean(own) for own in values])
    axis.plot(places, mean, marker='.', label=label, color=colour)
    spread = np.array([np.std(own, ddof=1) if len(own) > 1 else 0.0 for own in values])
    if spread.any():
        axis.fill_between(places, mean - spread, mean + spread, alpha=0.2, color=colour)


def _finish(axis: Any) -> None:
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
