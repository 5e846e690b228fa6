"""The eigenvalues of the classes' covariances, and what share of the variance the first of them hold."""
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import torch

from isda_seg.analysis.embedding_figure import ROWS, colour_and_marker
from isda_seg.analysis.features import Features
from isda_seg.analysis.spectrum import cumulative_share, effective_rank, spectrum

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import StrMethodFormatter  # noqa: E402

ROUNDING = 1e-7  # of the largest eigenvalue: smaller ones are not drawn

def draw_spectra(found: Sequence[Features], out: Path) -> None:
    """A column for each model and source of covariances: eigenvalues above, cumulative shares below, a line a class."""
    columns = [(one, spread) for one in found for spread in one.spreads]
    figure, axes = plt.subplots(2, len(columns), figsize=(3.6 * len(columns) + 1.6, 6.4), sharex='col', sharey='row',
                                squeeze=False, layout='constrained')
    for (upper, lower), (one, spread) in zip(axes.T, columns, strict=True):
        values = spectrum(spread.covariance)
        names = one.classes if len(values) == len(one.classes) else ['all classes']
        there = values.sum(dim=1) > 0
        for number in there.nonzero().flatten().tolist():
            colour, _ = colour_and_marker(number, len(values))
            across = range(1, values.shape[1] + 1)
            sure = values[number].where(values[number] > ROUNDING * values[number, 0], torch.nan)
            upper.plot(across, sure, color=colour, linewidth=1.2, label=names[number])
            lower.plot(across, 100 * cumulative_share(values)[number], color=colour, linewidth=1.2)
        ranks = effective_rank(values)[there]
        upper.set(yscale='log', title=f'{one.name}\n{spread.source}\neffective rank {ranks.min():.1f} to '
                                      f'{ranks.max():.1f} of {values.shape[1]}')
        upper.title.set_fontsize(8)
        lower.set(xscale='log', xlabel='direction, by variance', ylim=(0, 102))
        lower.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        for axis in (upper, lower):
            axis.grid(alpha=0.3)
    axes[0][0].set_ylabel("eigenvalue of the class's covariance")
    axes[1][0].set_ylabel('share of the first directions (%)')
    handles, names = max((axis.get_legend_handles_labels() for axis in axes[0]), key=lambda legend: len(legend[1]))
    figure.legend(handles, names, fontsize=8, loc='outside right center', ncols=-(-len(names) // ROWS))
    figure.savefig(out, dpi=120)
    plt.close(figure)
