"""Figures of the reverse mapping: generated images (Figs. 6, 7, 13) and nearest training images (Fig. 14)."""
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

from isda_seg.paper.figures import save_figure

SIDE, GAP, HEADING = 0.8, 0.25, 0.55  # inches: of an image, between columns, above the images
DPI = 150


class Column(NamedTuple):
    """Images under one heading."""
    title: str
    images: Tensor  # (N, k, 3, H, W) in [0, 1], RGB: k of each of N rows


def draw_columns(columns: Sequence[Column], out: str | Path, title: str) -> None:
    """Write a .png with a row for each of N images and a gap between the columns."""
    rows, widths = len(columns[0].images), [column.images.shape[1] for column in columns]
    width, height = SIDE * sum(widths) + GAP * len(widths), SIDE * rows + HEADING
    figure = Figure(figsize=(width, height))
    figure.suptitle(title, fontsize=9, y=1 - 0.08 / height, va='top')
    left = GAP / 2
    for column in columns:
        middle = left + SIDE * column.images.shape[1] / 2
        figure.text(middle / width, 1 - (HEADING - 0.06) / height, column.title, ha='center', va='bottom', fontsize=8)
        for row, images in enumerate(column.images):
            for index, image in enumerate(images):
                box = (left + SIDE * index) / width, (SIDE * (rows - 1 - row)) / height, SIDE / width, SIDE / height
                axis = figure.add_axes((box[0], box[1], 0.95 * box[2], 0.95 * box[3]))
                axis.imshow(image.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation='nearest')
                axis.axis('off')
        left += SIDE * column.images.shape[1] + GAP
    save_figure(figure, out, DPI)
