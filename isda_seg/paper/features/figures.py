"""Figures of the feature analysis: t-SNE by class, spectra of the covariances, margin tables with confusions."""
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.ticker import StrMethodFormatter

from isda_seg.paper.features.confusions import most_frequent
from isda_seg.paper.features.features import Covariances, Features
from isda_seg.paper.features.spectrum import cumulative_share, effective_rank, spectrum
from isda_seg.paper.features.table_map import show_table
from isda_seg.paper.figures import save_figure

MARKERS = 'o^sDv'
ROUNDING = 1e-7  # eigenvalues below this share of the largest one are not drawn
COLUMNS = 2      # columns of panels with margin tables if there are more than 3
ROWS = 20        # rows per legend column
COLUMN = 1.6     # width of a legend column in inches
WIDE = 60        # characters per line of a title


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


def draw_spectra(models: Sequence[Features], out: Path) -> None:
    """Draw a column per model and covariance source: eigenvalues above, cumulative shares below, one line per class."""
    panels = [(model, covariances) for model in models for covariances in model.covariances]
    legend = -(-len(models[0].classes) // ROWS)
    figure = Figure(figsize=(3.6 * len(panels) + COLUMN * legend, 6.4), layout='constrained')
    axes = figure.subplots(2, len(panels), sharex='col', sharey='row', squeeze=False)
    for (upper, lower), panel in zip(axes.T, panels, strict=True):
        _draw_spectrum(upper, lower, *panel)
    axes[0][0].set_ylabel('eigenvalue of the class covariance')
    axes[1][0].set_ylabel('cumulative share of variance (%)')
    handles, names = max((axis.get_legend_handles_labels() for axis in axes[0]), key=lambda entries: len(entries[1]))
    figure.legend(handles, names, fontsize=8, loc='outside right center', ncols=legend)
    save_figure(figure, out)


def _draw_spectrum(upper: Axes, lower: Axes, model: Features, covariances: Covariances) -> None:
    eigenvalues = spectrum(covariances.covariance)
    names = model.classes if len(eigenvalues) == len(model.classes) else ['all classes']
    shares, directions = 100 * cumulative_share(eigenvalues), range(1, eigenvalues.shape[1] + 1)
    nonzero = eigenvalues.sum(dim=1) > 0
    for label in nonzero.nonzero().flatten().tolist():
        colour, _ = colour_and_marker(label, len(eigenvalues))
        values = eigenvalues[label]
        upper.plot(directions, values.where(values > ROUNDING * values[0], torch.nan), color=colour, linewidth=1.2,
                   label=names[label])
        lower.plot(directions, shares[label], color=colour, linewidth=1.2)
    ranks = effective_rank(eigenvalues)[nonzero]
    upper.set_title(f'{textwrap.fill(model.name, WIDE)}\n{covariances.source}\neffective rank {ranks.min():.1f} to '
                    f'{ranks.max():.1f} of {eigenvalues.shape[1]}', fontsize=8)
    upper.set(yscale='log')
    lower.set(xscale='log', xlabel='eigenvector, by variance', ylim=(0, 102))
    lower.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    for axis in (upper, lower):
        axis.grid(alpha=0.3)


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
