"""Sweep of lambda_0: mIoU or error on held-out training images over the final strength (Fig. 11)."""
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.config import Config

from isda_seg.paper.series.paired import measures
from isda_seg.paper.series.result_files import at_tau
from isda_seg.paper.series.run_options import hold_out, with_isda, with_options
from isda_seg.paper.series.training_runs import Run


def sweep_runs(cfg: Config, lambdas: Sequence[float], curves: Mapping[str, Sequence[Any]], seeds: Sequence[int],
               share: float, options: dict[str, Any] | None = None) -> list[Run]:
    """Create one run per seed, lambda_0 and curve; lambda_0 = 0 is a single baseline run for all ISDA loss keys.

    Args:
        cfg: ISDA config.
        lambdas: values of lambda_0.
        curves: key -> values. A key of the ISDA loss, {'resolution': ['label', 'feature']}, or, with dots, of the
            config, {'model.eta_1': [0.5, 1]}.
        seeds: seeds of the runs.
        share: fraction of the training files to hold out for evaluation.
        options: options as in --cfg-options.
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
