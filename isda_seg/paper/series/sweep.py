"""Sweep of lambda_0: mIoU or error on held-out training images over the final strength (Fig. 11)."""
import itertools
import re
from collections.abc import Mapping, Sequence
from math import isnan, nan
from pathlib import Path
from statistics import fmean
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from mmengine.config import Config

from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.paired import Difference, difference, half_width, measures
from isda_seg.paper.series.paired_report import interval
from isda_seg.paper.series.result_files import at_tau
from isda_seg.paper.series.run_options import hold_out, with_isda, with_options
from isda_seg.paper.series.training_runs import Run

CROWD = 5  # maximum number of curves drawn with intervals and an inner legend


def sweep_runs(cfg: Config, lambdas: Sequence[float], curves: Mapping[str, Sequence[Any]], seeds: Sequence[int],
               share: float, options: dict[str, Any] | None = None) -> list[Run]:
    """Create one run per seed, lambda_0 and curve; lambda_0 = 0 is a single baseline run for all ISDA loss keys.

    ``curves`` maps keys to values: keys of the ISDA loss, {'resolution': ['label', 'feature']}, or, with dots, of the
    config, {'model.eta_1': [0.5, 1]}. A ``share`` of the training files is held out for evaluation.
    """
    cfg = hold_out(with_options(cfg, options=options), share)
    runs = {}
    for seed, curve, lambda_0 in itertools.product(seeds, settings(curves), sorted(lambdas)):
        of_config = _of_config(curve)
        of_loss = {key: value for key, value in curve.items() if key not in of_config and lambda_0}
        runs[run_name(seed, curve, lambda_0)] = with_isda(with_options(cfg, seed, of_config), **of_loss,
                                                          lambda_0=lambda_0)
    return [Run(name, run) for name, run in runs.items()]


def _of_config(curve: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in curve.items() if '.' in key}


def settings(curves: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of values; one empty setting if only lambda_0 varies."""
    return [dict(zip(curves, values, strict=True)) for values in itertools.product(*curves.values())]


def run_name(seed: int, curve: dict[str, Any], lambda_0: float) -> str:
    """Return the folder of a run."""
    kept = curve if lambda_0 else _of_config(curve)
    return f'seed_{seed}/' + '_'.join([*(f'{key}={value}' for key, value in kept.items()), f'lambda_0={lambda_0:g}'])


def summarize(results: dict[str, dict[str, Any]], lambdas: Sequence[float], curves: Mapping[str, Sequence[Any]],
              seeds: Sequence[int], taus: Sequence[float] = ()) -> dict[str, dict[str, list[float | None]]]:
    """Collect the main measure by curve, lambda_0 and seed; a single curve is named 'ISDA'.

    Each tau adds a copy of every curve. The value of a diverged run is None.
    """
    found: dict[str, dict[str, list[float | None]]] = {}
    for curve, tau in itertools.product(settings(curves), dict.fromkeys([0.0, *taus])):
        label = ', '.join([*(f'{key}={value}' for key, value in curve.items()), *([f'tau={tau:g}'] if tau else [])])
        found[label or 'ISDA'] = {
            f'{value:g}': [next(iter(measures(at_tau(results[run_name(seed, curve, value)], tau)).values()), None)
                           for seed in seeds] for value in sorted(lambdas)}
    return found


def by_seed(sweep: dict[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return the curves with one value per seed, NaN for diverged runs; files of one seed may hold scalars."""
    return {label: {lambda_0: [nan if value is None else value
                               for value in (values if isinstance(values, list) else [values])]
                    for lambda_0, values in points.items()} for label, points in sweep['curves'].items()}


def _mean(values: Sequence[float]) -> float:
    """Average the runs that did not diverge; NaN if all diverged."""
    return fmean(finite) if (finite := [value for value in values if not isnan(value)]) else nan


def _cell(values: Sequence[float]) -> str:
    diverged = sum(map(isnan, values))
    return ('' if diverged == len(values) else f'{_mean(values):.2f}') + (f' ({diverged} diverged)' if diverged else '')


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
            gaps = [_difference(points['0'], points[value]) if value != '0' else None for value in lambdas]
            cells = [f'{gap.mean:+.2f} ({interval(gap.t)})' if gap else '' for gap in gaps]
            rows.append(f'| difference to 0, 95 % (paired t) | {" | ".join(cells)} |')
    return '\n'.join(rows)


def _difference(baseline: list[float] | None, values: list[float]) -> Difference | None:
    """Compare the pairs without a diverged run; None if there are none."""
    pairs = [pair for pair in zip(baseline or values, values, strict=True) if not any(map(isnan, pair))]
    return difference(*zip(*pairs, strict=True)) if baseline and pairs else None


def draw_sweep(sweep: dict[str, Any], out: str | Path) -> None:
    """Plot the measure over lambda_0, one line per curve, with lambda_0 = 0 as a horizontal line.

    With more than ``CROWD`` curves, intervals are shown only in the table.
    """
    curves = by_seed(sweep)
    crowded = len(curves) > CROWD
    figure = Figure(figsize=(8.4, 3.8) if crowded else (5.2, 3.4), layout='constrained')
    axis = figure.subplots()
    if crowded:
        axis.set_prop_cycle(color=matplotlib.colormaps['turbo'](np.linspace(0.05, 0.95, len(curves))))
    for label, points in curves.items():
        positive = {float(lambda_0): values for lambda_0, values in points.items() if float(lambda_0) > 0}
        gaps = [_difference(points.get('0'), values) for values in positive.values()]
        bars = None if crowded else [half_width(gap.mean, gap.t) if gap else 0.0 for gap in gaps]
        line = axis.errorbar(list(positive), list(map(_mean, positive.values())), bars, marker='o', capsize=3,
                             label=re.sub(r'[\w.]+\.(\w+=)', r'\1', label))  # only the last part of a config key
        if '0' in points:
            axis.axhline(_mean(points['0']), color=line[0].get_color(), linestyle='--', linewidth=1)
    axis.set(xlabel='lambda_0', ylabel=f'{sweep.get("measure", "mIoU")} on held-out images (%)', xscale='log',
             title=f'{sweep["images"]} images, {seeds_of(sweep)}; dashed: lambda_0 = 0')
    axis.title.set_fontsize(9)
    ticks = sorted({float(lambda_0) for points in curves.values() for lambda_0 in points if float(lambda_0) > 0})
    axis.set_xticks(ticks, [f'{value:g}' for value in ticks])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    if crowded:
        figure.legend(fontsize=7, loc='outside right upper')
    else:
        axis.legend(fontsize=8)
    save_figure(figure, out)


def seeds_of(sweep: dict[str, Any]) -> str:
    """Return 'seed 100' or 'seeds 100, 101'."""
    seeds = sweep.get('seeds') or [sweep['seed']]
    return f'seed{"s" if len(seeds) > 1 else ""} {", ".join(map(str, seeds))}'
