"""The pictures of the reverse mapping: what augmented features show (Figs. 6, 7, 13), and what is nearest (Fig. 14)."""
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from torch import Tensor

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

SIDE = 0.8  # inches of an image


class Column(NamedTuple):
    """Images under one heading."""
    title: str
    images: Tensor  # (N, k, 3, H, W) in [0, 1], RGB: k of each of N rows


def draw_columns(columns: Sequence[Column], out: str | Path, title: str, rows: Sequence[str] = ()) -> None:
    """One row per image; columns with a gap between them, each under its heading.

    Args:
        rows: what stands at the left of each row.
    """
    count, side = len(columns[0].images), max(SIDE, 0.02 * columns[0].images.shape[-1])
    widths = [column.images.shape[1] for column in columns]
    size = side * (sum(widths) + 0.4 * len(widths)), side * count + 0.9
    figure = plt.figure(figsize=size, layout='constrained')
    parts = figure.subfigures(1, len(columns), width_ratios=[width + 0.4 for width in widths], squeeze=False)[0]
    for number, (part, column) in enumerate(zip(parts, columns, strict=True)):
        part.suptitle(column.title, fontsize=8)
        axes = part.subplots(count, column.images.shape[1], squeeze=False)
        for axis, image in zip(axes.flat, column.images.flatten(0, 1), strict=True):
            axis.imshow(image.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation='nearest')
            axis.set(xticks=[], yticks=[])
        for axis, name in zip(axes[:, 0], rows if number == 0 else (), strict=False):
            axis.set_ylabel(name, fontsize=7)
    figure.suptitle(title, fontsize=9)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150)
    plt.close(figure)
