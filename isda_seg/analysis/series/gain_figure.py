"""Where does it pay? The gain of every recorded series over how well plain training fits its images."""
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

from isda_seg.analysis.series.paired import TRAINING, lower_is_better

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402


class Point(NamedTuple):
    """One series."""
    title: str
    fitted: float    # training accuracy of the baseline, per cent
    gain: float      # points of the chief measure, above zero where ISDA is better
    half: float      # of the 95 % interval


def points(series: Iterable[tuple[str, str | None, dict[str, Any]]]) -> list[Point]:
    """Of series whose training accuracy was measured.

    Args:
        series: title, the arm that stands for it (None: the first), and the content of the result file.
    """
    found = []
    for title, arm, entry in series:
        measures = entry['comparisons'][arm or next(iter(entry['comparisons']))]['measures']
        name, chief = next(iter(measures.items()))
        if TRAINING not in measures or chief['t'] is None:
            continue
        sign = -1 if lower_is_better(name) else 1
        found.append(Point(title, measures[TRAINING]['baseline'], sign * chief['mean'], chief['t'][1] - chief['mean']))
    return found


def draw_gain(found: list[Point], out: Path) -> None:
    """A point per series with its interval."""
    figure, axis = plt.subplots(figsize=(8, 4.5), layout='constrained')
    for point in found:
        axis.errorbar(point.fitted, point.gain, point.half, marker='o', capsize=3, label=point.title)
    axis.axhline(0, color='0.5', linewidth=1)
    axis.set(xlabel='training accuracy without ISDA (%)', ylabel='gain (points, 95 %)')
    axis.grid(alpha=0.3)
    figure.legend(fontsize=7, loc='outside right upper')
    figure.savefig(out, dpi=120)
    plt.close(figure)
