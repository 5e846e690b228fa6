"""The lambda_0 sweep: mIoU or error on held-out training images against the final strength (the shape of Fig. 11)."""
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from mmengine.config import Config

from isda_seg.analysis.series.paired import lower_is_better, measures
from isda_seg.analysis.series.run_options import hold_out, with_isda, with_options
from isda_seg.analysis.series.training_runs import Run

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402


def sweep_runs(cfg: Config, lambdas: Sequence[float], curves: dict[str, Sequence[Any]], seed: int, share: float,
               options: dict[str, Any] | None = None) -> list[Run]:
    """One run per lambda_0 and curve; lambda_0 = 0 is the plain loss whatever the ISDA loss's keys, so it is one run.

    Args:
        curves: key -> the values it takes: a key of the ISDA loss, {'resolution': ['label', 'feature']}, or with dots
            one of the config, {'model.eta_1': [0.5, 1]}.
        share: of the training files, held out to evaluate on.
        options: as --cfg-options.
    """
    cfg = hold_out(with_options(cfg, seed, options), share)
    runs = {}
    for curve, lambda_0 in itertools.product(settings(curves), sorted(lambdas)):
        of_config = _of_config(curve)
        of_loss = {key: value for key, value in curve.items() if key not in of_config and lambda_0}
        runs[run_name(curve, lambda_0)] = with_isda(with_options(cfg, options=of_config), **of_loss, lambda_0=lambda_0)
    return [Run(name, run) for name, run in runs.items()]


def _of_config(curve: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in curve.items() if '.' in key}


def settings(curves: dict[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every combination of the curves' values; one empty setting where nothing but lambda_0 varies."""
    return [dict(zip(curves, values, strict=True)) for values in itertools.product(*curves.values())]


def run_name(curve: dict[str, Any], lambda_0: float) -> str:
    """The folder of a run."""
    kept = curve if lambda_0 else _of_config(curve)
    return '_'.join([*(f'{key}={value}' for key, value in kept.items()), f'lambda_0={lambda_0:g}'])


def summarize(results: dict[str, dict[str, Any]], lambdas: Sequence[float],
              curves: dict[str, Sequence[Any]]) -> dict[str, dict[str, float]]:
    """curve -> lambda_0 -> ``measure`` in per cent, from ``sweep_runs``; 'ISDA' where there is one curve."""
    found: dict[str, dict[str, float]] = {}
    for curve in settings(curves):
        label = ', '.join(f'{key}={value}' for key, value in curve.items()) or 'ISDA'
        found[label] = {f'{value:g}': next(iter(measures(results[run_name(curve, value)]).values()))
                        for value in sorted(lambdas)}
    return found


def measure(results: dict[str, dict[str, Any]]) -> str:
    """What a sweep compares: 'mIoU', or an error."""
    first = next(iter(measures(next(iter(results.values())))))
    return first if lower_is_better(first) else 'mIoU'


def sweep_table(sweep: dict[str, Any]) -> str:
    """Markdown: one row per curve, one column per lambda_0."""
    lambdas = list(next(iter(sweep['curves'].values())))
    rows = ['| | ' + ' | '.join(f'lambda_0 = {value}' for value in lambdas) + ' |',
            '|---' * (len(lambdas) + 1) + '|']
    rows += [f'| {label} | ' + ' | '.join(f'{points[value]:.2f}' for value in lambdas) + ' |'
             for label, points in sweep['curves'].items()]
    return '\n'.join(rows)


def draw_sweep(sweep: dict[str, Any], out: str | Path) -> None:
    """The measure over lambda_0, a line per curve, the plain loss as a level line."""
    figure, axis = plt.subplots(figsize=(5.2, 3.4))
    for label, points in sweep['curves'].items():
        own = [(float(value), found) for value, found in points.items() if float(value) > 0]
        axis.plot([lambda_0 for lambda_0, _ in own], [value for _, value in own], marker='o', label=label)
        if '0' in points:
            axis.axhline(points['0'], color='0.4', linestyle='--', linewidth=1)
    axis.set(xlabel='lambda_0', ylabel=f'{sweep.get("measure", "mIoU")} on held-out images (%)', xscale='log',
             title=f'{sweep["images"]} images, seed {sweep["seed"]}; dashed: lambda_0 = 0')
    axis.title.set_fontsize(9)
    values = sorted({float(value) for points in sweep['curves'].values() for value in points if float(value) > 0})
    axis.set_xticks(values, [f'{value:g}' for value in values])
    axis.minorticks_off()
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.tight_layout()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)
