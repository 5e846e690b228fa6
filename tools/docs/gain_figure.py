"""Gain of ISDA in every recorded setting over the training accuracy of the baseline."""
from collections.abc import Iterable
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from docs.gain_series import FITTED, Gain
from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.paired import half_width

COLORS = {'segmentation': 'tab:orange', 'classification': 'tab:blue', 'semi-supervised': 'tab:green'}


def draw_gain(gains: Iterable[Gain], out: Path) -> None:
    """Draw a numbered point with its 95 % CI per setting with known training accuracy."""
    figure = Figure(figsize=(8, 4.5), layout='constrained')
    axis = figure.subplots()
    shown = sorted(((found.fitted, found) for found in gains
                    if found.fitted is not None and found.interval is not None), key=lambda entry: entry[0])
    names = []
    for number, (fitted, found) in enumerate(shown, start=1):
        color, height = COLORS.get(found.task, '0.3'), found.sign * found.difference
        axis.errorbar(fitted, height, half_width(found.difference, found.interval), fmt='none', linewidth=1,
                      capsize=2, color=color, zorder=2)
        axis.plot(fitted, height, 'o', markersize=10, color=color, markeredgecolor='white', zorder=2 + number)
        axis.annotate(str(number), (fitted, height), color='white', fontsize=7, ha='center',
                      va='center_baseline', zorder=2.5 + number)
        names.append(Line2D([], [], color=color, linestyle='none', label=f'{number}  {found.setting}'))
    axis.axhline(0, color='0.5', linewidth=1)
    axis.axvline(FITTED, color='0.5', linewidth=1, linestyle='--')
    axis.set(xlabel='training accuracy of the baseline (%)',
             ylabel='points in favour of ISDA (95 % CI)')
    axis.grid(alpha=0.3)
    groups = dict.fromkeys((found.task, found.measure) for _, found in shown)
    kinds = [Line2D([], [], color=COLORS.get(task, '0.3'), marker='o', linestyle='none', label=f'{task}: {measure}')
             for task, measure in groups]
    axis.legend(handles=kinds, fontsize=6.5, loc='upper left')
    figure.legend(handles=names, fontsize=6.5, loc='outside right upper', labelcolor='linecolor', handlelength=0)
    save_figure(figure, out)
