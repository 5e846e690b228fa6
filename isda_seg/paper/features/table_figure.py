"""Margin table as a heat map, with the most frequent confusions marked."""
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

from isda_seg.paper.features.confusions import most_frequent
from isda_seg.paper.features.embedding_figure import WIDE
from isda_seg.paper.features.features import Features, Spread
from isda_seg.paper.features.table_map import show_table

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.patches import Circle  # noqa: E402

COLUMNS = 2  # columns of panels if there are more than 3


def draw_tables(found: Sequence[Features], most: int, out: Path) -> None:
    """Draw a panel per model and covariance source; rings mark the ``most`` most frequent confusions of the model."""
    panels = [(one, spread) for one in found for spread in one.spreads]
    columns = len(panels) if len(panels) <= 3 else COLUMNS
    side = min(max(3.6, 0.36 * len(found[0].classes)), 9)
    figure, axes = plt.subplots(-(-len(panels) // columns), columns, squeeze=False, layout='constrained',
                                figsize=((side + 1.6) * columns, (0.95 * side + 1.6) * -(-len(panels) // columns)))
    for axis, (one, spread) in zip(axes.flat, panels, strict=True):
        draw_table(axis, one, spread, most)
    figure.suptitle(f'margin table; rings: the {most} most frequent confusions of the model', fontsize=9)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def draw_table(axis: Any, one: Features, spread: Spread, most: int) -> None:
    """Draw one panel; row = true class."""
    show_table(axis, spread.table.numpy(), one.classes)
    for row, column in most_frequent(one.seen.confusion, most):
        axis.add_patch(Circle((column, row), 0.4, fill=False, color='red'))
    axis.set_title(f'{textwrap.fill(one.name, WIDE)}\n{spread.source}', fontsize=8)
