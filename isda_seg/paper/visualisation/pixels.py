"""Rendering of a figure to an image array, the input of visualizer backends."""
from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure  # without pyplot, a Figure is rendered by Agg

from isda_seg.paper.features.table_map import show_table


def pixels_of(figure: Figure) -> np.ndarray:
    """Render a figure to (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()


def table_pixels(table: np.ndarray, classes: Sequence[str], title: str) -> np.ndarray:
    """Render the margin table (C, C) as a heat map: (H, W, 3) uint8 RGB."""
    side = max(4.5, 0.36 * min(len(classes), 40))
    figure = Figure(figsize=(side + 1.6, side + 1), dpi=100, layout='constrained')
    axis = figure.subplots()
    show_table(axis, table, classes)
    axis.set_title(title, fontsize=9)
    return pixels_of(figure)
