"""Margin table as a heat map, with the most frequent confusions marked."""
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from isda_seg.paper.features.confusions import most_frequent
from isda_seg.paper.features.embedding_figure import WIDE
from isda_seg.paper.features.features import Covariances, Features
from isda_seg.paper.features.table_map import show_table
from isda_seg.paper.figures import save_figure

COLUMNS = 2  # columns of panels if there are more than 3


def draw_tables(models: Sequence[Features], count: int, out: Path) -> None:
    """Draw a panel per model and covariance source; rings mark the ``count`` most frequent confusions of the model."""
    panels = [(model, covariances) for model in models for covariances in model.covariances]
    columns = len(panels) if len(panels) <= 3 else COLUMNS
    rows = -(-len(panels) // columns)
    side = min(max(3.6, 0.36 * len(models[0].classes)), 9)
    figure = Figure(figsize=((side + 1.6) * columns, (0.95 * side + 1.6) * rows), layout='constrained')
    for axis, panel in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=True):
        draw_table(axis, *panel, count)
    figure.suptitle(f'margin table; rings: the {count} most frequent confusions of the model', fontsize=9)
    save_figure(figure, out)


def draw_table(axis: Axes, model: Features, covariances: Covariances, count: int) -> None:
    """Draw one panel; row = true class."""
    show_table(axis, covariances.table.numpy(), model.classes)
    for row, column in most_frequent(model.split.confusion, count):
        axis.add_patch(Circle((column, row), 0.4, fill=False, color='red'))
    axis.set_title(f'{textwrap.fill(model.name, WIDE)}\n{covariances.source}', fontsize=8)
