"""Selection of the recorded paired series that evaluate ISDA."""
from pathlib import Path
from typing import Any, NamedTuple

from docs.series import read_plan
from isda_seg.paper.series.measure_names import display_names, with_isda
from isda_seg.paper.series.paired import TRAINING, lower_is_better
from isda_seg.paper.series.result_files import read_series

FITTED = 80.0  # training accuracy in per cent above which a baseline fits its training images
Interval = tuple[float, float]


class Gain(NamedTuple):
    """Comparison of ISDA with its baseline in one recorded series, in per cent."""
    task: str
    setting: str
    measure: str             # 'test error', 'mIoU', ...
    pairs: int
    baseline: float
    isda: float
    difference: float        # ISDA minus baseline
    interval: Interval | None     # 95 % CI of the difference (paired t); None for a single pair
    nll: Interval | None     # 95 % CI of the NLL difference; None if not measured
    fitted: float | None     # training accuracy of the baseline in per cent, if measured
    series: str = ''         # title of the recorded series

    @property
    def sign(self) -> int:
        """-1 if lower is better, else 1."""
        return -1 if self.measure == 'test error' else 1

    @property
    def verdict(self) -> str:
        """'better' or 'worse' if the 95 % CI excludes zero, else ''."""
        low, high = sorted(self.sign * bound for bound in self.interval or (0, 0))
        return 'better' if low > 0 else 'worse' if high < 0 else ''


class Recorded(NamedTuple):
    """Recorded paired series by category."""
    shown: list[Gain]      # one per task and setting
    unfitted: list[Gain]   # the baseline underfits its training images
    repeated: int          # same task and setting as a shown series, with no more pairs
    choices: int           # selected a setting
    on_isda: int           # the baseline uses ISDA
    combined: int          # arms differ from the baseline by more than ISDA
    diverged: int          # every pair has a diverged run

    @property
    def number(self) -> int:
        """Total number of series."""
        return (len(self.shown) + len(self.unfitted) + self.repeated + self.choices + self.on_isda + self.combined +
                self.diverged)


def recorded_gains(folder: Path) -> Recorded:
    """Categorise the recorded series in the order of the plan.

    For each task and setting, the series with the most pairs is shown; for equal numbers the last one.
    """
    series = read_series(folder)
    shown: dict[tuple[str, str], Gain] = {}
    unfitted: list[Gain] = []
    repeated = choices = on_isda = combined = diverged = 0
    for plan in read_plan(folder):
        entry = series.get(plan['name'], {})
        if entry.get('kind') != 'paired':
            continue
        if plan.get('choice'):
            choices += 1
        elif plan.get('combined'):
            combined += 1
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
    return Recorded(list(shown.values()), unfitted, repeated, choices, on_isda, combined, diverged)


def measures_of(plan: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Return the measures of the representative arm of a series, by default the first one."""
    arms = entry['comparisons']
    found: dict[str, Any] = arms[plan.get('arm') or next(iter(arms))]['measures']
    return found


def gain_of(plan: dict[str, Any], entry: dict[str, Any]) -> Gain:
    """Return the comparison in the main measure of the representative arm."""
    measures = measures_of(plan, entry)
    name, values = next(iter(measures.items()))
    is_error = lower_is_better(name)
    return Gain(plan.get('task') or ('classification' if is_error else 'segmentation'),
                plan.get('setting') or plan['title'], 'test error' if is_error else display_names(name).measure,
                len(values['by_seed']), values['baseline'], values['arm'], values['mean'], _interval(values),
                _interval(measures.get('nll', {})), measures.get(TRAINING, {}).get('baseline'), plan['title'])


def _interval(values: dict[str, Any]) -> Interval | None:
    bounds = values.get('t')
    return None if bounds is None else (bounds[0], bounds[1])
