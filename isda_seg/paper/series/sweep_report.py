"""Table and figure of a sweep."""
import re
from math import isnan, nan
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib
import numpy as np

from isda_seg.paper.series.paired import Difference, difference, half_width
from isda_seg.paper.series.paired_report import interval

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

CROWD = 5  # maximum number of curves drawn with intervals and an inner legend


def by_seed(sweep: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return the curves with one value per seed, NaN for diverged runs; files of one seed may hold scalars."""
    return {label: {value: [nan if one is None else one for one in (found if isinstance(found, list) else [found])]
                    for value, found in points.items()} for label, points in sweep['curves'].items()}


def _mean(found: list[float]) -> float:
    """Average the runs that did not diverge; NaN if all diverged."""
    return fmean(sound) if (sound := [value for value in found if not isnan(value)]) else nan


def _cell(found: list[float]) -> str:
    gone = sum(map(isnan, found))
    return ('' if gone == len(found) else f'{_mean(found):.2f}') + (f' ({gone} diverged)' if gone else '')


def sweep_table(sweep: dict[str, Any]) -> str:
    """Return a Markdown table with one row per curve and one column per lambda_0.

    Several seeds are averaged, with the difference to lambda_0 = 0 and its interval below.
    """
    curves = by_seed(sweep)
    lambdas = list(next(iter(curves.values())))
    rows = ['| | ' + ' | '.join(f'lambda_0 = {value}' for value in lambdas) + ' |',
            '|---' * (len(lambdas) + 1) + '|']
    for label, points in curves.items():
        rows.append(f'| {label} | ' + ' | '.join(_cell(points[value]) for value in lambdas) + ' |')
        if len(points[lambdas[0]]) > 1 and '0' in points:
            cells = [_gap(points['0'], points[value]) if value != '0' else '' for value in lambdas]
            rows.append(f'| difference to 0, 95 % (paired t) | {" | ".join(cells)} |')
    return '\n'.join(rows)


def _gap(base: list[float], own: list[float]) -> str:
    gap = _difference(base, own)
    return f'{gap.mean:+.2f} ({interval(gap.t)})' if gap else ''


def _difference(base: list[float], own: list[float]) -> Difference | None:
    """Compare the pairs without a diverged run; None if there are none."""
    pairs = [pair for pair in zip(base, own, strict=True) if not any(map(isnan, pair))]
    return difference(*zip(*pairs, strict=True)) if pairs else None


def draw_sweep(sweep: dict[str, Any], out: str | Path) -> None:
    """Plot the measure over lambda_0, one line per curve, with lambda_0 = 0 as a horizontal line.

    With more than ``CROWD`` curves, intervals are shown only in the table.
    """
    figure, axis = plt.subplots(figsize=(5.2, 3.4), layout='constrained')
    curves = by_seed(sweep)
    crowded = len(curves) > CROWD
    if crowded:
        figure.set_size_inches(8.4, 3.8)
        axis.set_prop_cycle(color=plt.colormaps['turbo'](np.linspace(0.05, 0.95, len(curves))))
    for label, points in curves.items():
        own = [(float(value), found) for value, found in points.items() if float(value) > 0]
        bars = None if crowded else [_half(points.get('0'), found) for _, found in own]
        line = axis.errorbar([lambda_0 for lambda_0, _ in own], [_mean(found) for _, found in own], bars, marker='o',
                             capsize=3, label=_short(label))
        if '0' in points:
            axis.axhline(_mean(points['0']), color=line[0].get_color(), linestyle='--', linewidth=1)
    axis.set(xlabel='lambda_0', ylabel=f'{sweep.get("measure", "mIoU")} on held-out images (%)', xscale='log',
             title=f'{sweep["images"]} images, {seeds_of(sweep)}; dashed: lambda_0 = 0')
    axis.title.set_fontsize(9)
    values = sorted({float(value) for points in curves.values() for value in points if float(value) > 0})
    axis.set_xticks(values, [f'{value:g}' for value in values])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    if crowded:
        figure.legend(fontsize=7, loc='outside right upper')
    else:
        axis.legend(fontsize=8)
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)


def _short(label: str) -> str:
    """Shorten config keys in the name of a curve to their last part."""
    return re.sub(r'[\w.]+\.(\w+=)', r'\1', label)


def _half(base: list[float] | None, own: list[float]) -> float:
    """Return half the interval of the difference to lambda_0 = 0."""
    gap = None if base is None else _difference(base, own)
    return half_width(gap.mean, gap.t) if gap else 0.0


def seeds_of(sweep: dict[str, Any]) -> str:
    """Return 'seed 100' or 'seeds 100, 101'."""
    seeds = sweep.get('seeds') or [sweep['seed']]
    return f'seed{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}'
