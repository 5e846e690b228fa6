"""Figure of the eigenvalues of the class covariances and of their cumulative share of variance."""
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import torch

from isda_seg.paper.features.embedding_figure import COLUMN, ROWS, WIDE, colour_and_marker
from isda_seg.paper.features.features import Features, Spread
from isda_seg.paper.features.spectrum import cumulative_share, effective_rank, spectrum

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import StrMethodFormatter  # noqa: E402

ROUNDING = 1e-7  # eigenvalues below this share of the largest one are not drawn


def draw_spectra(found: Sequence[Features], out: Path) -> None:
    """Draw a column per model and covariance source: eigenvalues above, cumulative shares below, one line per class."""
    panels = [(one, spread) for one in found for spread in one.spreads]
    legend = -(-len(found[0].classes) // ROWS)
    figure, axes = plt.subplots(2, len(panels), figsize=(3.6 * len(panels) + COLUMN * legend, 6.4), sharex='col',
                                sharey='row', squeeze=False, layout='constrained')
    for (upper, lower), (one, spread) in zip(axes.T, panels, strict=True):
        _draw(upper, lower, one, spread)
    axes[0][0].set_ylabel('eigenvalue of the class covariance')
    axes[1][0].set_ylabel('cumulative share of variance (%)')
    handles, names = max((axis.get_legend_handles_labels() for axis in axes[0]), key=lambda each: len(each[1]))
    figure.legend(handles, names, fontsize=8, loc='outside right center', ncols=legend)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def _draw(upper: Any, lower: Any, one: Features, spread: Spread) -> None:
    values = spectrum(spread.covariance)
    names = one.classes if len(values) == len(one.classes) else ['all classes']
    shares, directions = 100 * cumulative_share(values), range(1, values.shape[1] + 1)
    there = values.sum(dim=1) > 0
    for number in there.nonzero().flatten().tolist():
        colour, _ = colour_and_marker(number, len(values))
        certain = values[number].where(values[number] > ROUNDING * values[number, 0], torch.nan)
        upper.plot(directions, certain, color=colour, linewidth=1.2, label=names[number])
        lower.plot(directions, shares[number], color=colour, linewidth=1.2)
    ranks = effective_rank(values)[there]
    upper.set_title(f'{textwrap.fill(one.name, WIDE)}\n{spread.source}\neffective rank {ranks.min():.1f} to '
                    f'{ranks.max():.1f} of {values.shape[1]}', fontsize=8)
    upper.set(yscale='log')
    lower.set(xscale='log', xlabel='eigenvector, by variance', ylim=(0, 102))
    lower.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
    for axis in (upper, lower):
        axis.grid(alpha=0.3)
