"""Warnings about non-finite features and classes without a sample. Plain torch."""
from collections.abc import Sequence

from isda_seg.openmmlab.pairs import Pair

SHOWN = 10  # maximum number of class names in a message


class StatisticsWarnings:
    """Warn once per condition."""

    def __init__(self) -> None:
        self.dropped = 0
        self.classes_checked = False

    def new(self, pairs: Sequence[Pair], steps: int, epoch: int, classes: Sequence[str] = ()) -> list[str]:
        """Return the warnings that have not been returned before.

        Args:
            pairs: the attached losses.
            steps: number of training steps so far.
            epoch: number of steps per epoch.
            classes: names of the classes; empty if the dataset has none.
        """
        messages = []
        dropped = sum(int(pair.loss.statistics.dropped) for pair in pairs)
        if dropped > self.dropped:
            messages.append(f'ISDA: {dropped} labelled features were not finite. The statistics ignore them.')
            self.dropped = dropped
        if steps >= epoch and not self.classes_checked:
            self.classes_checked = True
            messages += [f'ISDA: after {steps} steps, {pair.name or "the model"} has no feature of {_listed(names)}. '
                         'These classes receive no augmentation. Check whether the labels contain them.'
                         for pair in pairs if pair.loss.training and (names := _names(pair, classes))]
        return messages


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - SHOWN
    return ', '.join(names[:SHOWN]) + (f' and {rest} more classes' if rest > 0 else '')


def _names(pair: Pair, classes: Sequence[str]) -> list[str]:
    """Return the classes without a sample, by name or number."""
    counts = pair.loss.statistics.count.tolist()
    classes = [*classes, 'background'] if pair.loss.background == len(classes) else classes
    named = classes if len(classes) == len(counts) else [f'class {number}' for number in range(len(counts))]
    return [str(name) for name, count in zip(named, counts, strict=True) if count == 0]
