"""What README says about the gain: two sentences over all recorded series of pairs."""
from pathlib import Path
from typing import Any, NamedTuple

from isda_seg.analysis.series.measure_names import wording
from isda_seg.analysis.series.paired import lower_is_better
from isda_seg.analysis.series.result_files import read_series
from isda_seg.analysis.tables.rows import NOT_RUN
from isda_seg.analysis.tables.series import read_plan


class Gain(NamedTuple):
    """What ISDA as proposed did in a series, in points, above zero where it is the better arm."""
    title: str
    measure: str
    mean: float
    interval: tuple[float, float] | None  # 95 %, paired t; None for one pair


def gain(folder: Path) -> str:
    """How many series show a difference that is no chance, and how far the differences reach."""
    series = read_series(folder)
    gains = [of_series(plan['title'], series[plan['name']]) for plan in read_plan(folder)
             if series.get(plan['name'], {}).get('kind') == 'paired']
    if not gains:
        return NOT_RUN
    better = [found.title for found in gains if found.interval and found.interval[0] > 0]
    worse = [found.title for found in gains if found.interval and found.interval[1] < 0]
    worst, best = min(gains, key=mean), max(gains, key=mean)
    return (f'Over {len(gains)} recorded series of pairs, ISDA against its plain twin with the same seeds, ISDA is '
            f'better beyond the 95 % interval in {counted(better)} and worse beyond it in {counted(worse)}. In points '
            f'for ISDA the means reach from {described(worst)} to {described(best)}.')


def of_series(title: str, entry: dict[str, Any]) -> Gain:
    """The first measure of the first arm."""
    measure, values = next(iter(next(iter(entry['comparisons'].values()))['measures'].items()))
    bounds = values['t']
    if not lower_is_better(measure):
        return Gain(title, wording(measure).measure, values['mean'], bounds and (bounds[0], bounds[1]))
    return Gain(title, 'test error', -values['mean'], bounds and (-bounds[1], -bounds[0]))


def mean(found: Gain) -> float:
    """What series are ordered by."""
    return found.mean


def counted(titles: list[str]) -> str:
    """How many, and which."""
    return f'{len(titles)} ({"; ".join(titles)})' if titles else 'none'


def described(found: Gain) -> str:
    """The mean, where, and how sure it is."""
    sure = '' if found.interval is None else f', {found.interval[0]:+.2f} to {found.interval[1]:+.2f}'
    return f'{found.mean:+.2f} ({found.title}, {found.measure}{sure})'
