"""Warnings about non-finite features and classes without a sample. Plain torch."""
from collections.abc import Sequence

from isda_seg.attachment.training_warnings import dropped_message, unseen_message
from isda_seg.openmmlab.pairs import Pair


class StatisticsWarnings:
    """Warn once per condition."""

    def __init__(self) -> None:
        self.dropped = 0
        self.classes_checked = False

    def new(self, pairs: Sequence[Pair], steps: int, epoch: int, classes: Sequence[str] = ()) -> list[str]:
        """Return the warnings that have not been returned before, after ``steps`` steps in epochs of ``epoch`` steps.

        ``classes`` are the names of the classes; empty if the dataset has none.
        """
        messages: list[str | None] = []
        dropped = sum(int(pair.loss.statistics.dropped) for pair in pairs)
        if dropped > self.dropped:
            messages.append(dropped_message(dropped))
            self.dropped = dropped
        if steps >= epoch and not self.classes_checked:
            self.classes_checked = True
            messages += [unseen_message(f'after {steps} steps, {pair.name or "the model"} has', pair.loss.statistics,
                                        [*classes, 'background'] if pair.loss.background == len(classes) else classes)
                         for pair in pairs if pair.loss.training]
        return [message for message in messages if message]
