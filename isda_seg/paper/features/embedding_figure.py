"""t-SNE figure by class, with measures of separation."""
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from isda_seg.paper.features.features import Features
from isda_seg.paper.figures import save_figure

MARKERS = 'o^sDv'
ROWS = 20     # rows per legend column
COLUMN = 1.6  # width of a legend column in inches
WIDE = 60     # characters per line of a title


def colour_and_marker(label: int, classes: int) -> tuple[tuple[float, ...], str]:
    """Return colour and marker of a class, unique for up to 100 classes."""
    colours = matplotlib.colormaps['tab10' if classes <= 10 else 'tab20']
    return colours(label % colours.N)[:3], MARKERS[label // colours.N % len(MARKERS)]


def draw_embedding(models: Sequence[Features], title: str, out: Path) -> None:
    """Draw a panel per model with its separation measures below, and a legend of the classes."""
    columns = -(-len(models[0].classes) // ROWS)
    figure = Figure(figsize=(4.6 * len(models) + COLUMN * columns, 5), layout='constrained')
    axes = figure.subplots(1, len(models), squeeze=False)[0]
    for axis, model in zip(axes, models, strict=True):
        labels, measures = model.split.sample.labels, model.separation
        for label in np.unique(labels):
            colour, marker = colour_and_marker(label, len(model.classes))
            axis.scatter(*model.points[labels == label].T, s=12, color=colour, marker=marker, linewidths=0,
                         label=model.classes[label], alpha=0.8)
        axis.set(xticks=[], yticks=[], title=textwrap.fill(model.name, WIDE))
        axis.title.set_fontsize(9)
        axis.set_xlabel(f'silhouette {measures.silhouette:.3f}   within / between {measures.variance_ratio:.2f}   '
                        f'1-NN error {measures.nearest_error:.1f} %', fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, markerscale=1.5, loc='outside right center',
                  ncols=columns)
    figure.suptitle(title, fontsize=9)
    save_figure(figure, out)
