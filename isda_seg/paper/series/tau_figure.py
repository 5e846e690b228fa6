"""Main measure of a paired series over the logit adjustment at test time, one curve per training."""
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from textwrap import fill
from typing import Any

from matplotlib.figure import Figure

from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.arm import Arm
from isda_seg.paper.series.measure_names import names_of_series
from isda_seg.paper.series.paired import difference, half_width, measures
from isda_seg.paper.series.result_files import DIVERGED, at_tau

OverTau = dict[str, dict[str, list[float]]]
LINE = 100  # characters per line of the legend


def over_tau(arms: Sequence[Arm], results: dict[str, dict[str, Any]], seeds: Sequence[int]) -> OverTau:
    """Collect the main measure by seed: {config and training options: {tau: values}}, tau 0 first.

    Arms that share a training are used once, and seeds with a diverged run are excluded. The results are given by
    ``<folder of the arm>/seed_<seed>``.
    """
    trained = list({arm.folder: arm for arm in arms}.values())
    kept = [seed for seed in seeds if not any(DIVERGED in results[f'{arm.folder}/seed_{seed}'] for arm in trained)]
    found: OverTau = {}
    for arm in trained:
        runs = [results[f'{arm.folder}/seed_{seed}'] for seed in kept]
        adjusted = [next(iter(run['protocols'].values())).get('logit_adjustment', {}) for run in runs]
        shared = [tau for tau in (adjusted or [{}])[0] if all(tau in values for values in adjusted)]
        found[' '.join([Path(arm.config).stem, *arm.training_options])] = {
            tau: [next(iter(measures(at_tau(run, float(tau))).values())) for run in runs] for tau in ['0', *shared]}
    return found


def draw_over_tau(paired: dict[str, Any], out: str | Path) -> bool:
    """Plot means over seeds, with 95 % CIs of the difference to the baseline at the same tau.

    Return False without a figure if no training was tested at several tau.
    """
    curves: OverTau = paired.get('over_tau', {})
    if not any(len(points) > 1 for points in curves.values()):
        return False
    figure = Figure(figsize=(6.4, 4), layout='constrained')
    axis = figure.subplots()
    baseline = next(iter(curves.values()))
    for label, points in curves.items():
        taus = sorted(points, key=float)
        gaps = [difference(baseline[tau], points[tau]) if tau in baseline and points is not baseline else None
                for tau in taus]
        bars = [half_width(gap.mean, gap.t) if gap else 0.0 for gap in gaps]
        axis.errorbar([float(tau) for tau in taus], [fmean(points[tau]) for tau in taus], bars, marker='.',
                      linestyle='--' if points is baseline else '-', capsize=2, label=fill(label, LINE))
    axis.set(xlabel='tau of the logit adjustment at test time', ylabel=f'{names_of_series(paired).measure} (%)',
             title=f'mean over {len(next(iter(baseline.values())))} seeds; bars: 95 % CI of the difference to the '
                   'baseline (dashed)')
    axis.title.set_fontsize(9)
    axis.grid(alpha=0.3)
    figure.legend(fontsize=7, loc='outside lower center')
    save_figure(figure, out)
    return True
