"""Table and figure of tools/gain.py: measures at several strengths, compared with the baseline."""
from pathlib import Path
from typing import Any

import matplotlib

from isda_seg.paper.series.paired import difference, half_width
from isda_seg.paper.series.paired_report import interval

matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

Strengths = dict[float, dict[str, dict[str, Any]]]


def compare_strengths(arms: dict[float, list[dict[str, float]]], names: dict[str, str]) -> Strengths:
    """Compare every strength with strength 0.

    Args:
        arms: lambda_0 -> measures of every seed, in the same order of seeds.
        names: measure -> name in the report.

    Returns:
        lambda_0 -> measure -> mean, mean difference to the baseline and its 95 % CI (paired t).
    """
    found: Strengths = {}
    for strength, runs in arms.items():
        found[strength] = {}
        for measure in names:
            base, own = ([run[measure] for run in results] for results in (arms[0], runs))
            gap = difference(base, own)
            found[strength][measure] = dict(mean=sum(own) / len(own), difference=gap.mean, interval=gap.t)
    return found


def report(found: Strengths, names: dict[str, str]) -> str:
    """Return a Markdown table with one row per measure and strength."""
    rows = ['| | lambda_0 | mean | difference to baseline | 95 % (paired t) |', '|---|---|---|---|---|']
    for measure, name in names.items():
        for strength, entry in found.items():
            own = entry[measure]
            gap = f'{own["difference"]:+.3f}' if strength else ''
            sure = interval(own['interval'], 3) if strength else ''
            rows.append(f'| {name} | {strength or "baseline"} | {own["mean"]:.3f} | {gap} | {sure} |')
    return '\n'.join(rows)


def draw(found: Strengths, names: dict[str, str], out: Path) -> None:
    """Plot two measures over the strength, with intervals of the difference to the baseline."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout='constrained')
    for axis, measure in zip(axes, (list(names)[0], 'nll' if 'nll' in names else list(names)[-1]), strict=True):
        means = [entry[measure]['mean'] for entry in found.values()]
        half = [half_width(entry[measure]['difference'], entry[measure]['interval']) for entry in found.values()]
        axis.errorbar([str(strength or 'baseline') for strength in found], means, half, marker='o', capsize=4)
        axis.set(xlabel='lambda_0', ylabel=names[measure])
    figure.suptitle('means; bars: 95 % CI of the difference to the baseline (paired t)', fontsize=9)
    figure.savefig(out, dpi=120)
    plt.close(figure)
