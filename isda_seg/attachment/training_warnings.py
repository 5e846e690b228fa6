"""Warnings about unseen classes, features that are not finite and a strength that nothing sets, each once."""
import warnings
from collections.abc import Sequence

from isda_seg.core import ClassStatistics
from isda_seg.core.ops.checks import listed

CALLS = 64  # training calls before the warnings


class TrainingWarnings:
    """Warnings of one loss after a number of training calls; None if the training loop warns instead."""

    def __init__(self, after: int | None = CALLS) -> None:
        self.after, self.calls = after, 0

    def count_call(self, statistics: ClassStatistics, without_strength: bool) -> None:
        """Count a training call, and warn at call number ``after``, which synchronises with an accelerator."""
        self.calls += 1
        if self.calls != self.after:
            return
        if without_strength:
            warnings.warn(f'ISDA: after {self.calls} training calls, the strength has not been set. It is 0, so nothing'
                          ' is augmented. Give ISDACriterion lambda_0 and total_steps, set loss.strength in each step '
                          '(to 0 for a baseline), or train with ISDAHook', stacklevel=2)
        if message := unseen_message(f'after {self.calls} training calls, the statistics have', statistics):
            warnings.warn(message, stacklevel=2)
        if dropped := int(statistics.dropped):
            warnings.warn(dropped_message(dropped), stacklevel=2)


def dropped_message(dropped: int) -> str:
    """Return the message about features that the statistics ignore."""
    return f'ISDA: {dropped} labelled features were not finite. The statistics ignore them.'


def unseen_message(beginning: str, statistics: ClassStatistics, names: Sequence[str] = ()) -> str | None:
    """Return the message about classes without a sample, by name if each has one; None if all have samples.

    ``beginning`` says when and where, and ends with the verb: 'after 10 steps, the model has'.
    """
    counts = statistics.count.tolist()
    named = names if len(names) == len(counts) else [f'class {number}' for number in range(len(counts))]
    unseen = [name for name, count in zip(named, counts, strict=True) if count == 0]
    return (f'ISDA: {beginning} no feature of {listed(unseen, 10)}. These classes receive no augmentation. Check '
            'whether the labels contain them: a mask of 0 and 255 needs the labels 0 and 1') if unseen else None
