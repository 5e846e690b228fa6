"""Two arms run with the same seeds, compared seed by seed."""
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from scipy import stats  # the t quantile and the bootstrap, rather than our own

from isda_seg.metrics.best_measure import direction
from isda_seg.paper.series.result_files import DIVERGED

CONFIDENCE = 0.95
RESAMPLES = 10_000
SECONDARY = ('aAcc', 'nll', 'ece', 'mean_AP')
TRAINING = 'training_accuracy'
OVER_CLASSES = 'mean_class_error'  # what long-tailed data are judged by
OF_CLASSES = ('precision', 'recall', 'AP')  # besides IoU
MAPS = {'bbox_mAP': 'box mAP', 'segm_mAP': 'mask mAP'}  # a detector's measures and what they are called


class Difference(NamedTuple):
    """One measure of an arm minus that of the baseline; intervals are None where one pair alone is known."""
    by_seed: list[float]
    mean: float
    t: list[float] | None          # paired t, 95 %
    bootstrap: list[float] | None  # percentiles of resampled means, 95 %


def difference(baseline: Sequence[float], arm: Sequence[float]) -> Difference:
    """The mean difference of pairs and how sure it is.

    Args:
        baseline, arm: one value per seed, in the same order.

    Raises:
        ValueError: nothing to compare, or different numbers of runs.
    """
    if not baseline or len(baseline) != len(arm):
        raise ValueError(f'pairs need the same runs in both arms, got {len(baseline)} and {len(arm)}')
    values = np.asarray(arm, dtype=np.float64) - np.asarray(baseline, dtype=np.float64)
    mean = float(values.mean())
    if len(values) < 2:
        return Difference(values.tolist(), mean, None, None)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * stats.sem(values))
    drawn = stats.bootstrap((values,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE,
                            method='percentile', rng=np.random.default_rng(0)).confidence_interval
    return Difference(values.tolist(), mean, [mean - half, mean + half], [float(drawn.low), float(drawn.high)])


def half_width(mean: float, t: Sequence[float] | None) -> float:
    """Of the paired-t interval about its mean, as figures draw it; 0 where it is not known."""
    return 0.0 if t is None else t[1] - mean


def measures(result: dict[str, Any]) -> dict[str, float]:
    """What a result file of tools/test.py is judged by, the chief measure first; all but 'nll' in per cent.

    mIoU of every protocol, and over the last evaluations; a classifier's test errors, where lower is better, the mean
    over classes first, then that over the last epochs; or a detector's mAP of boxes and of masks. Then, where they were
    measured, those of ``SECONDARY``, of the single protocol, and the training accuracy.
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


def first_measure(results: Iterable[dict[str, Any]]) -> str:
    """What runs are judged by: the first measure of the first that did not diverge; 'mIoU' where all did."""
    return next((name for result in results for name in measures(result)), 'mIoU')


def lower_is_better(measure: str) -> bool:
    """Whether a measure is an error, so that a gain is negative."""
    return direction(measure) == 'less'


def class_measures(result: dict[str, Any], kind: str = 'IoU') -> dict[str, float]:
    """IoU, or another kind, of every class in the first protocol, in per cent; without classes that never occur."""
    first = next(iter(result['protocols'].values()))
    return {name: value for name, value in first.get(kind, {}).items() if value is not None}


def compare_arms(baseline: dict[str, dict[str, Any]], arm: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """All differences of two arms.

    Args:
        baseline, arm: seed -> result of tools/test.py.

    Returns:
        {'measures': {protocol: {...}}, 'classes': {class: {...}}, 'precision', 'recall'}; each entry the means of both
        arms and the fields of ``Difference``, 'classes' those of IoU. 'seeds': of the pairs; a pair with a run that
        diverged is none. 'diverged': {'baseline': seeds, 'arm': seeds}, where there are such. Without a pair there are
        no measures.

    Raises:
        ValueError: the arms have different seeds.
    """
    if list(baseline) != list(arm):
        raise ValueError(f'the arms have different seeds: {list(baseline)} and {list(arm)}')
    gone = {name: [int(seed) for seed, result in runs.items() if DIVERGED in result]
            for name, runs in (('baseline', baseline), ('arm', arm))}
    seeds = [seed for seed in baseline if int(seed) not in (*gone['baseline'], *gone['arm'])]
    found: dict[str, Any] = dict(seeds=[int(seed) for seed in seeds])
    if any(gone.values()):
        found[DIVERGED] = gone
    for kind, take in (('measures', measures), ('classes', class_measures),
                       *((kind, partial(class_measures, kind=kind)) for kind in OF_CLASSES)):
        left, right = ([take(results[seed]) for seed in seeds] for results in (baseline, arm))
        common = [name for values in left[:1] for name in values if all(name in other for other in (*left, *right))]
        found[kind] = {}
        for name in common:
            a, b = [values[name] for values in left], [values[name] for values in right]
            found[kind][name] = dict(baseline=float(np.mean(a)), arm=float(np.mean(b)), **difference(a, b)._asdict())
    return found
