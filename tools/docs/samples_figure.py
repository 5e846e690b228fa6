"""Fig. 10: gain and time of M explicit samples, compared with the closed form."""
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from isda_seg.paper.cost.classifier_step import CLOSED
from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.measure_names import row_name
from isda_seg.paper.series.paired import half_width


def draw_samples(paired: Mapping[str, Any], timed: Mapping[str, Any], out: Path) -> None:
    """Draw the difference from the baseline over M on the left and the extra time of a step on the right.

    Args:
        paired: a series whose arms have ``samples=M``; arms without it use the closed form.
        timed: result of tools/benchmarks/samples.py.
        out: output file.

    Raises:
        ValueError: no arm of the series has ``samples=M``.
    """
    arms = {samples_of(arm): comparison for arm, comparison in paired['comparisons'].items()}
    order = [*sorted((name for name in arms if name != CLOSED), key=int), *([CLOSED] if CLOSED in arms else [])]
    if order == [CLOSED] or not order:
        raise ValueError('No arm of this series has samples=M')
    measure = next(iter(arms[order[0]]['measures']))
    figure = Figure(figsize=(10, 3.8), layout='constrained')
    left, right = figure.subplots(1, 2)
    entries = [arms[name]['measures'][measure] for name in order]
    left.errorbar(range(len(order)), [entry['mean'] for entry in entries],
                  [half_width(entry['mean'], entry['t']) for entry in entries], fmt='ks', capsize=4, markersize=5)
    left.axhline(0, color='0.5', linewidth=1)
    left.set(title=f'{row_name(measure)}: minus baseline, mean and 95 % (paired t)', ylabel='points')
    left.set_xticks(range(len(order)), order)
    names = [name for name in order if name in timed['extra_time']]
    shares = [timed['extra_time'][name] for name in names]
    median = [100 * share['median'] for share in shares]
    spans = [[100 * (share['median'] - share['low']) for share in shares],
             [100 * (share['high'] - share['median']) for share in shares]]
    right.errorbar([order.index(name) for name in names], median, spans, fmt='ks', capsize=4, markersize=5)
    right.axhline(0, color='0.5', linewidth=1)
    right.set(title=f'extra time of a step, median and quartiles\n{timed["hardware"]}', ylabel='% of a baseline step')
    right.set_xticks(range(len(order)), order)
    for axis in (left, right):
        axis.set_xlabel('samples M')
        axis.title.set_fontsize(9)
        axis.grid(axis='y', alpha=0.3)
    save_figure(figure, out)


def samples_of(arm: str) -> str:
    """Return M of an arm's label, or 'closed form'."""
    found = re.search(r'\bsamples=(\d+)', arm)
    return found[1] if found else CLOSED
