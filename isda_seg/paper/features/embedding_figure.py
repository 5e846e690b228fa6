"""t-SNE figure by class, with measures of separation."""
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np

from isda_seg.paper.features.features import Features

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

MARKERS = 'o^sDv'
ROWS = 20     # rows per legend column
COLUMN = 1.6  # width of a legend column in inches
WIDE = 60     # characters per line of a title


def colour_and_marker(number: int, classes: int) -> tuple[tuple[float, ...], str]:
    """Return colour and marker of a class, unique for up to 100 classes."""
    colours = plt.get_cmap('tab10' if classes <= 10 else 'tab20').colors
    return colours[number % len(colours)], MARKERS[number // len(colours) % len(MARKERS)]


def draw_embedding(found: Sequence[Features], title: str, out: Path) -> None:
    """Draw a panel per model with its separation measures below, and a legend of the classes."""
    columns = -(-len(found[0].classes) // ROWS)
    figure, axes = plt.subplots(1, len(found), figsize=(4.6 * len(found) + COLUMN * columns, 5), squeeze=False,
                                layout='constrained')
    for axis, one in zip(axes[0], found, strict=True):
        labels, apart = one.seen.sample.labels, one.separation
        for number in np.unique(labels):
            colour, marker = colour_and_marker(number, len(one.classes))
            axis.scatter(*one.points[labels == number].T, s=12, color=colour, marker=marker, linewidths=0,
                         label=one.classes[number], alpha=0.8)
        axis.set(xticks=[], yticks=[], title=textwrap.fill(one.name, WIDE))
        axis.title.set_fontsize(9)
        axis.set_xlabel(f'silhouette {apart.silhouette:.3f}   within / between {apart.variance_ratio:.2f}   '
                        f'1-NN error {apart.nearest_error:.1f} %', fontsize=8)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=8, markerscale=1.5, loc='outside right center', ncols=columns)
    figure.suptitle(title, fontsize=9)
    figure.savefig(out, dpi=120)
    plt.close(figure)
