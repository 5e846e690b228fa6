"""Table and figure of tools/gain.py: measures at several strengths, compared with the baseline."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from matplotlib.figure import Figure

from isda_seg.paper.figures import save_figure
from isda_seg.paper.series.paired import difference, half_width
from isda_seg.paper.series.paired_report import interval


class Gain(TypedDict):
    """A measure at one strength, as in result files."""
    mean: float
    difference: float             # mean difference to the baseline
    interval: list[float] | None  # its 95 % CI (paired t)


Strengths = dict[float, dict[str, Gain]]


def compare_strengths(arms: Mapping[float, Sequence[Mapping[str, float]]], names: Mapping[str, str]) -> Strengths:
    """Compare every strength with strength 0.

    Args:
        arms: lambda_0 -> measures of every seed, in the same order of seeds.
        names: measure -> name in the report.

    Returns:
        lambda_0 -> measure -> ``Gain``.
    """
    found: Strengths = {}
    for strength, runs in arms.items():
        found[strength] = {}
        for measure in names:
            values = [run[measure] for run in runs]
            gap = difference([run[measure] for run in arms[0]], values)
            found[strength][measure] = Gain(mean=sum(values) / len(values), difference=gap.mean, interval=gap.t)
    return found


def report(found: Strengths, names: Mapping[str, str]) -> str:
    """Return a Markdown table with one row per measure and strength."""
    rows = ['| | lambda_0 | mean | difference to baseline | 95 % (paired t) |', '|---|---|---|---|---|']
    for measure, name in names.items():
        for strength, gains in found.items():
            gain = gains[measure]
            cells = [f'{gain["difference"]:+.3f}', interval(gain['interval'], 3)] if strength else ['', '']
            rows.append(f'| {name} | {strength or "baseline"} | {gain["mean"]:.3f} | {" | ".join(cells)} |')
    return '\n'.join(rows)


def draw(found: Strengths, names: Mapping[str, str], out: Path) -> None:
    """Plot two measures over the strength, with intervals of the difference to the baseline."""
    figure = Figure(figsize=(9, 3.5), layout='constrained')
    shown = list(names)[0], 'nll' if 'nll' in names else list(names)[-1]
    for axis, measure in zip(figure.subplots(1, 2), shown, strict=True):
        gains = [entry[measure] for entry in found.values()]
        axis.errorbar([str(strength or 'baseline') for strength in found], [gain['mean'] for gain in gains],
                      [half_width(gain['difference'], gain['interval']) for gain in gains], marker='o', capsize=4)
        axis.set(xlabel='lambda_0', ylabel=names[measure])
    figure.suptitle('means; bars: 95 % CI of the difference to the baseline (paired t)', fontsize=9)
    save_figure(figure, out)
