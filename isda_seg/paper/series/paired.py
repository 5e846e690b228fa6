"""Paired comparison of two arms that were run with the same seeds."""
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import stats  # t quantile and bootstrap

from isda_seg.metrics.best_metric import direction
from isda_seg.paper.series.result_files import DIVERGED

CONFIDENCE = 0.95
RESAMPLES = 10_000
SECONDARY = ('aAcc', 'nll', 'ece', 'mean_AP')
TRAINING = 'training_accuracy'
OVER_CLASSES = 'mean_class_error'  # main measure of long-tailed data
OF_CLASSES = ('precision', 'recall', 'AP')  # in addition to IoU
MAPS = {'bbox_mAP': 'box mAP', 'segm_mAP': 'mask mAP'}  # measures of detectors


class Difference(NamedTuple):
    """Difference of a measure between an arm and the baseline; intervals are None for a single pair."""
    by_seed: list[float]
    mean: float
    t: list[float] | None          # paired t, 95 %
    bootstrap: list[float] | None  # percentiles of resampled means, 95 %


def difference(baseline: Sequence[float], arm: Sequence[float]) -> Difference:
    """Compute the mean paired difference and its confidence intervals.

    Both arms have one value per seed, in the same order.

    Raises:
        ValueError: no runs, or different numbers of runs.
    """
    if not baseline or len(baseline) != len(arm):
        raise ValueError(f'pairs need the same runs in both arms, got {len(baseline)} and {len(arm)}')
    values = np.asarray(arm, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    mean = float(values.mean())
    if len(values) < 2:
        return Difference(values.tolist(), mean, None, None)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    interval = stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
                               method='percentile', random_state=np.random.default_rng(0)).confidence_interval
    return Difference(values.tolist(), mean, [mean - half, mean + half], [float(interval.low), float(interval.high)])


def half_width(mean: float, t: Sequence[float] | None) -> float:
    """Return half the width of the paired-t interval, or 0 without an interval."""
    return 0.0 if t is None else t[1] - mean


def measures(result: dict[str, Any]) -> dict[str, float]:
    """Extract the measures of a result of tools/test.py, the main measure first; all but 'nll' in per cent.

    Segmentation: mIoU of every protocol and its mean over the last evaluations. Classification: test errors, the mean
    over classes first, then the mean over the last epochs. Detection: box and mask mAP. If available, the measures of
    ``SECONDARY`` for the single protocol and the training accuracy follow.
    """
    single = result['protocols'].get('single', {})
    if any(name in single for name in MAPS):
        return {name: single[name] for name in MAPS if single.get(name) is not None}
    errors = [name for name in (OVER_CLASSES,) if name in single]
    errors += sorted((name for name in single if name.startswith('top1_error')), key=len, reverse=True)
    found = ({name: single[name] for name in errors} if errors else
             {protocol: values['mIoU'] for protocol, values in result['protocols'].items()})
    found.update({name: value for name, value in single.items() if name in SECONDARY or name.startswith('mIoU_last')})
    if TRAINING in result:
        found[TRAINING] = result[TRAINING]
    return found


def main_measure(results: Iterable[dict[str, Any]]) -> str:
    """Return the main measure of the first run that did not diverge; 'mIoU' if all runs diverged."""
    return next((name for result in results for name in measures(result)), 'mIoU')


def lower_is_better(measure: str) -> bool:
    """Whether lower values of a measure are better."""
    return direction(measure) == 'less'


def class_measures(result: dict[str, Any], kind: str = 'IoU') -> dict[str, float]:
    """Return IoU or another measure of every class in the first protocol, in per cent, without absent classes."""
    first = next(iter(result['protocols'].values()))
    return {name: value for name, value in first.get(kind, {}).items() if value is not None}


def compare_arms(baseline: dict[str, dict[str, Any]], arm: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Compare two arms in all measures.

    Both map seeds to results of tools/test.py.

    Returns:
        {'measures': {protocol: {...}}, 'classes': {class: {...}}, 'precision', 'recall'}; each entry holds the means of
        both arms and the fields of ``Difference``; 'classes' is IoU. 'seeds': seeds of the pairs without a diverged
        run. 'diverged': {'baseline': seeds, 'arm': seeds}, if any. Without pairs there are no measures.

    Raises:
        ValueError: the arms have different seeds.
    """
    if list(baseline) != list(arm):
        raise ValueError(f'the arms have different seeds: {list(baseline)} and {list(arm)}')
    diverged = {name: [int(seed) for seed, result in runs.items() if DIVERGED in result]
                for name, runs in (('baseline', baseline), ('arm', arm))}
    seeds = [seed for seed in baseline if int(seed) not in (*diverged['baseline'], *diverged['arm'])]
    found: dict[str, Any] = dict(seeds=[int(seed) for seed in seeds])
    if any(diverged.values()):
        found[DIVERGED] = diverged
    takes: dict[str, Callable[[dict[str, Any]], dict[str, float]]] = {
        'measures': measures, 'classes': class_measures,
        **{kind: partial(class_measures, kind=kind) for kind in OF_CLASSES}}
    for kind, take in takes.items():
        left, right = ([take(results[seed]) for seed in seeds] for results in (baseline, arm))
        common = [name for values in left[:1] for name in values if all(name in other for other in (*left, *right))]
        found[kind] = {}
        for name in common:
            a, b = [values[name] for values in left], [values[name] for values in right]
            found[kind][name] = dict(baseline=float(np.mean(a)), arm=float(np.mean(b)), **difference(a, b)._asdict())
    return found
