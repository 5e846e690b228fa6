"""Which recorded series of pairs are a verdict on ISDA, and why the others are not."""
from pathlib import Path
from typing import Any, NamedTuple

from docs.series import read_plan
from isda_seg.paper.series.measure_names import with_isda, wording
from isda_seg.paper.series.paired import TRAINING, lower_is_better
from isda_seg.paper.series.result_files import read_series

FITTED = 80.0  # training accuracy in per cent from which on a baseline has fitted its training images
Interval = tuple[float, float]


class Gain(NamedTuple):
    """ISDA against its baseline in one recorded series; the measure is in per cent."""
    task: str
    setting: str
    measure: str             # 'test error', 'mIoU', ...
    pairs: int
    baseline: float
    isda: float
    difference: float        # ISDA minus baseline
    interval: Interval | None     # 95 % CI of the difference, paired t; None for one pair
    nll: Interval | None     # that of the negative log-likelihood; None where it was not measured
    fitted: float | None     # training accuracy of the baseline in per cent, where it was measured

    @property
    def sign(self) -> int:
        """-1 where lower is better."""
        return -1 if self.measure == 'test error' else 1

    @property
    def verdict(self) -> str:
        """'better' or 'worse' where the 95 % CI excludes zero, else ''."""
        low, high = sorted(self.sign * bound for bound in self.interval or (0, 0))
        return 'better' if low > 0 else 'worse' if high < 0 else ''


class Recorded(NamedTuple):
    """All recorded series of pairs."""
    shown: list[Gain]      # one per task and setting
    unfitted: list[Gain]   # the baseline had not fitted its training images
    repeated: int          # of a task and setting that is shown, with no more pairs
    choices: int           # a setting was chosen by them
    on_isda: int           # the baseline trains with ISDA
    diverged: int          # no pair is left

    @property
    def number(self) -> int:
        """Of all series."""
        return len(self.shown) + len(self.unfitted) + self.repeated + self.choices + self.on_isda + self.diverged


def recorded_gains(folder: Path) -> Recorded:
    """The recorded series in the plan's order, by whether they are shown.

    Of the series of one task and setting the one with the most pairs is shown, of equal ones the last.
    """
    series = read_series(folder)
    shown: dict[tuple[str, str], Gain] = {}
    unfitted: list[Gain] = []
    repeated = choices = on_isda = diverged = 0
    for plan in read_plan(folder):
        entry = series.get(plan['name'], {})
        if entry.get('kind') != 'paired':
            continue
        if plan.get('choice'):
            choices += 1
        elif with_isda(entry.get('plain', '')):
            on_isda += 1
        elif not measures_of(plan, entry):
            diverged += 1
        else:
            found = gain_of(plan, entry)
            if plan.get('underfitted') or found.fitted is not None and found.fitted < FITTED:
                unfitted.append(found)
                continue
            known = shown.get((found.task, found.setting))
            repeated += known is not None
            if known is None or found.pairs >= known.pairs:
                shown[found.task, found.setting] = found
    return Recorded(list(shown.values()), unfitted, repeated, choices, on_isda, diverged)


def measures_of(plan: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """The measures of the arm that stands for a series, or of its first one."""
    arms = entry['comparisons']
    found: dict[str, Any] = arms[plan.get('arm') or next(iter(arms))]['measures']
    return found


def gain_of(plan: dict[str, Any], entry: dict[str, Any]) -> Gain:
    """The first measure of the arm that stands for the series."""
    measures = measures_of(plan, entry)
    name, values = next(iter(measures.items()))
    is_error = lower_is_better(name)
    return Gain(plan.get('task') or ('classification' if is_error else 'segmentation'),
                plan.get('setting') or plan['title'], 'test error' if is_error else wording(name).measure,
                len(values['by_seed']), values['baseline'], values['arm'], values['mean'], _interval(values),
                _interval(measures.get('nll', {})), measures.get(TRAINING, {}).get('baseline'))


def _interval(values: dict[str, Any]) -> Interval | None:
    bounds = values.get('t')
    return None if bounds is None else (bounds[0], bounds[1])
