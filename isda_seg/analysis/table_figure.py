"""The table as a heat map with the classes' names, and on it what the model confuses most often."""
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from isda_seg.analysis.confusions import most_frequent
from isda_seg.analysis.embedding_figure import WIDE
from isda_seg.analysis.features import Features, Spread

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.patches import Circle  # noqa: E402

UNIT = 'variance of the logit difference per unit of strength'
WRITTEN = 12  # classes up to which the entries are written
NAMED = 100   # classes up to which the rows have names
COLUMNS = 2   # of panels, where there are more than 3


def draw_tables(found: Sequence[Features], most: int, out: Path) -> None:
    """A panel for each model and source of covariances; rings are on the ``most`` frequent confusions of the model."""
    panels = [(one, spread) for one in found for spread in one.spreads]
    columns = len(panels) if len(panels) <= 3 else COLUMNS
    side = min(max(3.6, 0.36 * len(found[0].classes)), 9)
    figure, axes = plt.subplots(-(-len(panels) // columns), columns, squeeze=False, layout='constrained',
                                figsize=((side + 1.6) * columns, (0.95 * side + 1.6) * -(-len(panels) // columns)))
    for axis, (one, spread) in zip(axes.flat, panels, strict=True):
        draw_table(axis, one, spread, most)
    figure.suptitle(f'the table; rings: the {most} most frequent confusions of the model', fontsize=9)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def draw_table(axis: Any, one: Features, spread: Spread, most: int) -> None:
    """One panel: row = true class."""
    table = np.ma.masked_array(spread.table.numpy(), np.eye(len(spread.table), dtype=bool))
    image = axis.imshow(table, cmap='viridis')
    axis.set_facecolor('0.85')  # of the diagonal, which is always 0
    bar = axis.figure.colorbar(image, ax=axis, shrink=0.85)
    bar.set_label(UNIT, fontsize=7)
    bar.ax.tick_params(labelsize=7)
    for row, column in most_frequent(one.seen.confusion, most):
        axis.add_patch(Circle((column, row), 0.4, fill=False, color='red'))
    if len(table) <= WRITTEN:
        digits = max(0, 2 - math.floor(math.log10(max(table.max(), 1e-3))))
        for (row, column), value in np.ndenumerate(spread.table.numpy()):
            if row != column:
                axis.text(column, row, f'{value:.{digits}f}', ha='center', va='center', fontsize=6,
                          color='black' if image.norm(value) > 0.6 else 'white')
    if len(table) <= NAMED:
        size = 7 if len(table) <= 40 else 4
        axis.set_xticks(range(len(table)), one.classes, rotation=90, fontsize=size)
        axis.set_yticks(range(len(table)), one.classes, fontsize=size)
    axis.set_xlabel('other class', fontsize=8)
    axis.set_ylabel('true class', fontsize=8)
    axis.set_title(f'{textwrap.fill(one.name, WIDE)}\n{spread.source}', fontsize=8)
