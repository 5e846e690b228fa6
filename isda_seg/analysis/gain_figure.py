"""Where does it pay? The gain of every recorded series over how well plain training fits its images."""
from collections.abc import Iterable
from pathlib import Path

import matplotlib

from isda_seg.analysis.series.paired import half_width
from isda_seg.analysis.tables.gain import Gain

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402


def draw_gain(gains: Iterable[Gain], out: Path) -> None:
    """A numbered point with its interval per series that has one and whose training accuracy was measured."""
    figure, axis = plt.subplots(figsize=(8, 4.5), layout='constrained')
    shown = sorted((found for found in gains if found.fitted is not None and found.interval is not None),
                   key=lambda found: found.fitted or 0.0)
    names = []
    for number, found in enumerate(shown, start=1):
        color = 'tab:orange' if found.measure == 'mIoU' else 'tab:blue'
        axis.errorbar(found.fitted, found.mean, half_width(found.mean, found.interval), fmt='none', linewidth=1,
                      capsize=2, color=color, zorder=2)
        axis.plot(found.fitted, found.mean, 'o', markersize=10, color=color, markeredgecolor='white', zorder=2 + number)
        axis.annotate(str(number), (found.fitted, found.mean), color='white', fontsize=7, ha='center',
                      va='center_baseline', zorder=2.5 + number)
        names.append(Line2D([], [], color=color, linestyle='none', label=f'{number}  {found.title}'))
    axis.axhline(0, color='0.5', linewidth=1)
    axis.set(xlabel='training accuracy without ISDA (%)', ylabel='gain (points of test error or of mIoU, 95 %)')
    axis.grid(alpha=0.3)
    figure.legend(handles=names, fontsize=6.5, loc='outside right upper', labelcolor='linecolor', handlelength=0)
    figure.savefig(out, dpi=120)
    plt.close(figure)
