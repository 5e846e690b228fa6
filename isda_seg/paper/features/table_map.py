"""Draw the margin table as a heat map."""
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from isda_seg.paper.figures import figure_pixels

UNIT = 'variance of the logit difference per unit of strength'
WRITTEN = 12  # maximum number of classes for printed entries
NAMED = 100   # maximum number of classes for row and column names


def show_table(axis: Axes, table: np.ndarray, classes: Sequence[str]) -> None:
    """Draw the margin table (C, C) with class names and a colour bar; the zero diagonal is grey."""
    image: Any = axis.imshow(np.ma.masked_array(table, np.eye(len(table), dtype=bool)), cmap='viridis')
    axis.set_facecolor('0.85')
    bar = axis.figure.colorbar(image, ax=axis, shrink=0.85)
    bar.set_label(UNIT, fontsize=7)
    bar.ax.tick_params(labelsize=7)
    if len(table) <= WRITTEN:
        digits = max(0, 2 - math.floor(math.log10(max(table.max(), 1e-3))))
        for (row, column), value in np.ndenumerate(table):
            if row != column:
                axis.text(column, row, f'{value:.{digits}f}', ha='center', va='center', fontsize=6,
                          color='black' if image.norm(value) > 0.6 else 'white')
    if len(table) <= NAMED:
        size = 7 if len(table) <= 40 else 4
        axis.set_xticks(range(len(table)), classes, rotation=90, fontsize=size)
        axis.set_yticks(range(len(table)), classes, fontsize=size)
    axis.set_xlabel('other class', fontsize=8)
    axis.set_ylabel('true class', fontsize=8)


def table_pixels(table: np.ndarray, classes: Sequence[str], title: str) -> np.ndarray:
    """Render the margin table (C, C) as a heat map: (H, W, 3) uint8 RGB."""
    side = max(4.5, 0.36 * min(len(classes), 40))
    figure = Figure(figsize=(side + 1.6, side + 1), dpi=100, layout='constrained')
    axis = figure.subplots()
    show_table(axis, table, classes)
    axis.set_title(title, fontsize=9)
    return figure_pixels(figure)
