"""Figure of the eigenvalues of the class covariances and of their cumulative share of variance."""
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from isda_seg.paper.features.embedding_figure import COLUMN, ROWS, WIDE, colour_and_marker
from isda_seg.paper.features.features import Covariances, Features
from isda_seg.paper.features.spectrum import cumulative_share, effective_rank, spectrum
from isda_seg.paper.figures import save_figure

ROUNDING = 1e-7  # eigenvalues below this share of the largest one are not drawn


def draw_spectra(models: Sequence[Features], out: Path) -> None:
    """Draw a column per model and covariance source: eigenvalues above, cumulative shares below, one line per class."""
    panels = [(model, covariances) for model in models for covariances in model.covariances]
    legend = -(-len(models[0].classes) // ROWS)
    figure = Figure(figsize=(3.6 * len(panels) + COLUMN * legend, 6.4), layout='constrained')
    axes = figure.subplots(2, len(panels), sharex='col', sharey='row', squeeze=False)
    for (upper, lower), panel in zip(axes.T, panels, strict=True):
        _draw(upper, lower, *panel)
    axes[0][0].set_ylabel('eigenvalue of the class covariance')
    axes[1][0].set_ylabel('cumulative share of variance (%)')
    handles, names = max((axis.get_legend_handles_labels() for axis in axes[0]), key=lambda entries: len(entries[1]))
    figure.legend(handles, names, fontsize=8, loc='outside right center', ncols=legend)
    save_figure(figure, out)


def _draw(upper: Axes, lower: Axes, model: Features, covariances: Covariances) -> None:
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
