"""Labels outside the classes on a device: left out and remembered, because asking at once would wait for it."""
import torch
from torch import Tensor

from isda_seg.core.device import constant

FOLD_EVERY = 64  # steps after which what has been gathered is made two numbers


class BadLabels:
    """The smallest and the largest label of each step, until somebody asks."""

    def __init__(self) -> None:
        self._extremes: list[tuple[Tensor, Tensor]] = []  # () each
        self._classes, self._ignore_index = 0, 0

    def leave_out(self, labels: Tensor, num_classes: int, ignore_index: int) -> Tensor:
        """The labels as ``class_index`` has them: ``num_classes + 1`` where one is no class, or the ignore index."""
        labelled = labels != ignore_index
        inside = labels.clamp(0, num_classes - 1) == labels
        if 0 <= ignore_index < num_classes:
            inside = inside & labelled
        if labels.numel():
            self._extremes.append(torch.aminmax(labels * labelled))
        if len(self._extremes) >= FOLD_EVERY:
            self._extremes = [self._folded()]
        self._classes, self._ignore_index = num_classes, ignore_index
        return torch.where(inside, labels, constant(num_classes + 1, (), torch.int64, labels.device))

    def raise_any(self) -> None:
        """ValueError if a label since the last call was neither a class nor the ignore index (waits for the device)."""
        if not self._extremes:
            return
        lowest, highest = (int(extreme) for extreme in self._folded())
        self._extremes.clear()
        if lowest < 0 or highest >= self._classes:
            wrong = ' and '.join(str(label) for label in (lowest, highest) if not 0 <= label < self._classes)
            raise ValueError(f'labels as far out as {wrong} are neither one of the {self._classes} classes '
                             f'(0..{self._classes - 1}) nor the ignore index ({self._ignore_index})')

    def _folded(self) -> tuple[Tensor, Tensor]:
        lowest, highest = zip(*self._extremes, strict=True)
        return torch.stack(lowest).amin(), torch.stack(highest).amax()
