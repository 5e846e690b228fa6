"""Validation curves of a series, one line per arm with a band over its seeds (Fig. 5)."""
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from isda_seg.paper.series.measure_names import wording
from isda_seg.paper.series.paired import first_measure

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

FEWEST = 4  # minimum number of points of a curve


def curves(paired: dict[str, Any]) -> dict[str, tuple[list[int], np.ndarray]]:
    """Return the validation steps and the values (seeds, steps) in per cent of each arm that has a curve.

    Only steps common to all runs of an arm are used. Diverged runs are excluded.
    """
    found = {}
    for arm, runs in paired['runs'].items():
        known = [{int(place): value for place, value in run['validated'].items()} for run in runs.values()
                 if 'validated' in run]
        places = sorted(set.intersection(*map(set, known))) if known else []
        if len(places) >= FEWEST:
            found[arm] = places, np.array([[run[place] for place in places] for run in known])
    return found


def draw_bands(paired: dict[str, Any], out: str | Path) -> bool:
    """Draw means and bands of one standard deviation over seeds; return False without curves."""
    found = curves(paired)
    if not found:
        return False
    figure, axis = plt.subplots(figsize=(6.4, 4), layout='constrained')
    for arm, (places, values) in found.items():
        mean, spread = values.mean(0), values.std(0, ddof=1) if len(values) > 1 else 0 * values[0]
        axis.plot(places, mean, marker='.', label=f'{arm} ({len(values)} seeds)')
        axis.fill_between(places, mean - spread, mean + spread, alpha=0.2)
    first = first_measure(run for runs in paired['runs'].values() for run in runs.values())
    axis.set(xlabel='epoch' if 'error' in first else 'iteration', title='mean, and one standard deviation over seeds',
             ylabel=f'{wording(first).measure} (%)')
    axis.title.set_fontsize(9)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)
    return True
