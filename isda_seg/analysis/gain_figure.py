"""Where does it pay? The gain of every recorded series over how well plain training fits its images."""
from collections.abc import Iterable
from pathlib import Path

import matplotlib

from isda_seg.analysis.series.paired import half_width
from isda_seg.analysis.tables.gain import Gain

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402


def draw_gain(gains: Iterable[Gain], out: Path) -> None:
    """A point with its interval per series that has one and whose training accuracy was measured."""
    figure, axis = plt.subplots(figsize=(8, 4.5), layout='constrained')
    for found in gains:
        if found.fitted is not None and found.interval is not None:
            axis.errorbar(found.fitted, found.mean, half_width(found.mean, found.interval), marker='o', capsize=3,
                          label=found.title)
    axis.axhline(0, color='0.5', linewidth=1)
    axis.set(xlabel='training accuracy without ISDA (%)', ylabel='gain (points, 95 %)')
    axis.grid(alpha=0.3)
    figure.legend(fontsize=7, loc='outside right upper')
    figure.savefig(out, dpi=120)
    plt.close(figure)
