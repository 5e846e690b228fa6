"""What README says about the gain: two sentences over recorded series of pairs, one about scikit-learn's digits."""
import json
from pathlib import Path
from typing import Any, NamedTuple

from isda_seg.analysis.series.measure_names import with_isda, wording
from isda_seg.analysis.series.paired import TRAINING, lower_is_better
from isda_seg.analysis.series.paired_report import interval
from isda_seg.analysis.series.result_files import read_series
from isda_seg.analysis.tables.rows import NOT_RUN
from isda_seg.analysis.tables.series import read_plan

FITTED = 80.0  # per cent of the augmented training images that plain training has right where it fits them
FEW = 2         # series that README names


class Gain(NamedTuple):
    """What ISDA as proposed did in a series, in points, above zero where it is the better arm."""
    title: str
    measure: str
    mean: float
    interval: tuple[float, float] | None    # 95 %, paired t; None for one pair
    likelihood: tuple[float, float] | None  # interval of the negative log-likelihood, below zero where ISDA is better
    fitted: float | None                    # training accuracy of plain training, per cent, where it was measured


def gain(folder: Path) -> str:
    """How many series show a difference that is no chance, and how far the differences reach."""
    gains = [found for found in recorded_gains(folder) if found.fitted is None or found.fitted >= FITTED]
    if not gains:
        return NOT_RUN
    better = [found.title for found in gains if found.interval and found.interval[0] > 0]
    worse = [found.title for found in gains if found.interval and found.interval[1] < 0]
    worst, best = min(gains, key=mean), max(gains, key=mean)
    reach = (f'the means reach from {described(worst)} to {described(best)}' if len(gains) > 1 else
             f'its mean is {described(best)}')
    return (f'In {len(gains)} recorded series of pairs with the same seeds, where plain training fits its images '
            f'({FITTED:g} % right or more), ISDA is better beyond the 95 % interval in {counted(better)} and worse '
            f'beyond it in {counted(worse)}{likelihoods(gains)}. In points for ISDA {reach}.')


def recorded_gains(folder: Path) -> list[Gain]:
    """Of the recorded pairs that are a verdict on ISDA: nothing was chosen by them, they are no earlier ones set aside,
    and their baseline trains without it. Series that share their pairs, among other arms, count as one.
    """
    series = read_series(folder)
    found: dict[tuple[float, ...] | str, Gain] = {}
    for plan in read_plan(folder):
        entry = series.get(plan['name'], {})
        if entry.get('kind') == 'paired' and not plan.get('underfitted') and not plan.get('choice') \
                and not with_isda(entry.get('plain', '')) and (measures := stands_for(plan, entry)['measures']):
            pairs = tuple(next(iter(measures.values())).get('by_seed', ()))
            found.setdefault(pairs or plan['name'], of_series(plan, entry))
    return list(found.values())


def likelihoods(gains: list[Gain]) -> str:
    """In how many series the likelihood is better beyond its interval; '' where none measured it."""
    known = [found.likelihood for found in gains if found.likelihood]
    better = sum(high < 0 for _, high in known)
    return f'; negative log-likelihood is lower beyond it in {better} of {len(known)}' if known else ''


def stands_for(plan: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """The comparison of the arm that stands for a series, or of its first one."""
    arms = entry['comparisons']
    found: dict[str, Any] = arms[plan.get('arm') or next(iter(arms))]
    return found


def of_series(plan: dict[str, Any], entry: dict[str, Any]) -> Gain:
    """The first measure of the arm that stands for the series, or of the first one."""
    title, measures = plan['title'], stands_for(plan, entry)['measures']
    measure, values = next(iter(measures.items()))
    bounds, others = values['t'], (measures.get('nll', {}).get('t'), measures.get(TRAINING, {}).get('baseline'))
    if not lower_is_better(measure):
        return Gain(title, wording(measure).measure, values['mean'], bounds and (bounds[0], bounds[1]), *others)
    return Gain(title, 'test error', -values['mean'], bounds and (-bounds[1], -bounds[0]), *others)


def mean(found: Gain) -> float:
    """What series are ordered by."""
    return found.mean


def counted(titles: list[str]) -> str:
    """How many, and which as long as they are few."""
    return 'none' if not titles else f'{len(titles)} ({"; ".join(titles)})' if len(titles) <= FEW else str(len(titles))


def described(found: Gain) -> str:
    """The mean, where, and how sure it is."""
    sure = '' if found.interval is None else f', {found.interval[0]:+.2f} to {found.interval[1]:+.2f}'
    return f'{found.mean:+.2f} ({found.title}, {found.measure}{sure})'


def digits(results: Path) -> str:
    """What ``make gain`` measured, from gain.json, and what its strength was chosen from, from gain_sweep.json."""
    pairs, sweep = results / 'gain.json', results / 'gain_sweep.json'
    if not pairs.is_file() or not sweep.is_file():
        return NOT_RUN
    entry, tried = json.loads(pairs.read_text()), json.loads(sweep.read_text())
    plain, own = (entry['comparison'][f'{strength:g}'] for strength in (0, entry['lambda_0']))
    parts = [f'{name} from {plain[measure]["mean"]:.{places}f} to {own[measure]["mean"]:.{places}f} '
             f'({interval(own[measure]["interval"], places)})'
             for measure, name, places in (('error', 'test error in per cent', 2),
                                           ('nll', 'negative log-likelihood', 3))]
    return (f'Over {len(entry["seeds"])} pairs of seeds with 95 % intervals: {"; ".join(parts)}. `lambda_0` is one of '
            f'{len(tried["arms"])} values tried on other images with other seeds.')
