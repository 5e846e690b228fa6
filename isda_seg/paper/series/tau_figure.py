"""Main measure of a paired series over the logit adjustment at test time, one curve per training."""
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Any

import matplotlib

from isda_seg.paper.series.arm import Arm
from isda_seg.paper.series.measure_names import wording
from isda_seg.paper.series.paired import difference, first_measure, half_width, measures
from isda_seg.paper.series.result_files import DIVERGED, at_tau

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

OverTau = dict[str, dict[str, list[float]]]
LINE = 100  # characters per line of the legend


def over_tau(arms: Sequence[Arm], results: dict[str, dict[str, Any]], seeds: Sequence[int]) -> OverTau:
    """Collect the main measure by seed: {config and training options: {tau: values}}, tau 0 first.

    Args:
        arms: arms of the series, the baseline first; arms that share a training are used once.
        results: results by ``<folder of the arm>/seed_<seed>``.
        seeds: seeds in the order of the values. Seeds with a diverged run are excluded.
    """
    trained = list({arm.folder: arm for arm in arms}.values())
    sound = [seed for seed in seeds if not any(DIVERGED in results[f'{arm.folder}/seed_{seed}'] for arm in trained)]
    found: OverTau = {}
    for arm in trained:
        runs = [results[f'{arm.folder}/seed_{seed}'] for seed in sound]
        known = [next(iter(run['protocols'].values())).get('logit_adjustment', {}) for run in runs]
        shared = [tau for tau in (known or [{}])[0] if all(tau in values for values in known)]
        found[' '.join([Path(arm.config).stem, *arm.of_training])] = {
            tau: [next(iter(measures(at_tau(run, float(tau))).values())) for run in runs] for tau in ['0', *shared]}
    return found


def draw_over_tau(paired: dict[str, Any], out: str | Path) -> bool:
    """Plot means over seeds, with 95 % CIs of the difference to the baseline at the same tau.

    Return False without a figure if no training was tested at several tau.
    """
    curves: OverTau = paired.get('over_tau', {})
    if not any(len(points) > 1 for points in curves.values()):
        return False
    figure, axis = plt.subplots(figsize=(6.4, 4), layout='constrained')
    baseline = next(iter(curves.values()))
    for label, points in curves.items():
        taus = sorted(points, key=float)
        paired_to = [difference(baseline[tau], points[tau]) if tau in baseline and points is not baseline else None
                     for tau in taus]
        bars = [half_width(gap.mean, gap.t) if gap else 0.0 for gap in paired_to]
        axis.errorbar([float(tau) for tau in taus], [fmean(points[tau]) for tau in taus], bars, marker='.',
                      linestyle='--' if points is baseline else '-', capsize=2, label=fill(label, LINE))
    first = first_measure(run for runs in paired['runs'].values() for run in runs.values())
    axis.set(xlabel='tau of the logit adjustment at test time', ylabel=f'{wording(first).measure} (%)',
             title=f'mean over {len(next(iter(baseline.values())))} seeds; bars: 95 % CI of the difference to the '
                   'baseline (dashed)')
    axis.title.set_fontsize(9)
    axis.grid(alpha=0.3)
    figure.legend(fontsize=7, loc='outside lower center')
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=120)
    plt.close(figure)
    return True
