"""What the statistics have not seen: features that were not finite, classes without a sample. Plain torch."""
from collections.abc import Sequence

from isda_seg.openmmlab.pairs import Pair


class LeftOut:
    """Tells of each once."""

    def __init__(self) -> None:
        self.dropped = 0
        self.asked = False

    def sentences(self, pairs: Sequence[Pair], steps: int, epoch: int, classes: Sequence[str] = ()) -> list[str]:
        """What is new.

        Args:
            pairs: the losses, attached.
            steps: how many were taken.
            epoch: how many steps show every image once.
            classes: names of the classes, as far as the dataset knows them.
        """
        told = []
        dropped = sum(int(pair.loss.statistics.dropped) for pair in pairs)
        if dropped > self.dropped:
            told.append(f'ISDA: {dropped} labelled features were not finite and left out of the statistics')
            self.dropped = dropped
        if steps >= epoch and not self.asked:
            self.asked = True
            told += [f'ISDA: after {steps} steps {pair.name or "the model"} has seen no feature of {", ".join(names)}: '
                     'their pixels are not augmented, and others not by them. Do the labels hold these classes?'
                     for pair in pairs if (names := _names(pair, classes))]
        return told


def _names(pair: Pair, classes: Sequence[str]) -> list[str]:
    """The classes without a sample, by name or number."""
    counts = pair.loss.statistics.count.tolist()
    named = classes if len(classes) == len(counts) else [f'class {number}' for number in range(len(counts))]
    return [str(name) for name, count in zip(named, counts, strict=True) if count == 0]
