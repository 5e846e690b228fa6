"""Validation curves of a series, one line per arm with a band over its seeds (Fig. 5)."""
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.measure_names import names_of_series

FEWEST = 4  # minimum number of points of a curve


def curves(paired: dict[str, Any]) -> dict[str, tuple[list[int], np.ndarray]]:
    """Return the validation steps and the values (seeds, steps) in per cent of each arm that has a curve.

    Only steps common to all runs of an arm are used. Diverged runs are excluded.
    """
    found = {}
    for arm, runs in paired['runs'].items():
        validated = [{int(step): value for step, value in run['validated'].items()} for run in runs.values()
                     if 'validated' in run]
        steps = sorted(set.intersection(*map(set, validated))) if validated else []
        if len(steps) >= FEWEST:
            found[arm] = steps, np.array([[values[step] for step in steps] for values in validated])
    return found


def draw_bands(paired: dict[str, Any], out: str | Path) -> bool:
    """Draw means and bands of one standard deviation over seeds; return False without curves."""
    found = curves(paired)
    if not found:
        return False
    figure = Figure(figsize=(6.4, 4), layout='constrained')
    axis = figure.subplots()
    for arm, (steps, values) in found.items():
        mean, deviation = values.mean(0), values.std(0, ddof=1) if len(values) > 1 else 0 * values[0]
        axis.plot(steps, mean, marker='.', label=f'{arm} ({len(values)} seeds)')
        axis.fill_between(steps, mean - deviation, mean + deviation, alpha=0.2)
    names = names_of_series(paired)
    axis.set(xlabel='epoch' if 'error' in names.measure else 'iteration', ylabel=f'{names.measure} (%)',
             title='mean, and one standard deviation over seeds')
    axis.title.set_fontsize(9)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    save_figure(figure, out)
    return True
