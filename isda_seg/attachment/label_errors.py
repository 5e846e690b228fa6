"""Labels outside the classes on a device: left out and remembered, because asking at once would wait for it."""
from collections.abc import Sequence

import torch
from torch import Tensor

from isda_seg.core.ops.checks import check_logits, labelled
from isda_seg.core.ops.device import constant, on_host


class LabelErrors:
    """The smallest and the largest label of each step, until somebody asks."""

    def __init__(self) -> None:
        self._extremes: list[tuple[Tensor, Tensor]] = []  # () each
        self._classes, self._ignore_index = 0, 0

    def check(self, labels: Tensor, logits: Tensor, ignore_index: int,
              sources: Sequence[str] | None = None) -> tuple[Tensor, int]:
        """The labels as int64 and their ignore index: on a device without the bad ones, which are ignored.

        Raises:
            ValueError: labels that do not fit the logits; on a host, a label that is neither a class nor ignored.
        """
        labels, classes = check_logits(logits, labels, ignore_index, sources), logits.shape[1]
        if on_host(labels):
            return labels, ignore_index
        return self.noted(labels, classes, ignore_index), classes + 1

    def noted(self, labels: Tensor, num_classes: int, ignore_index: int) -> Tensor:
        """The labels with ``num_classes + 1`` in place of every one that is no class, or ignored."""
        counts = labelled(labels, ignore_index)
        inside = labels.clamp(0, num_classes - 1) == labels
        if 0 <= ignore_index < num_classes:
            inside = inside & counts
        if labels.numel():
            self._extremes.append(torch.aminmax(labels * counts))
        self._classes, self._ignore_index = num_classes, ignore_index
        return torch.where(inside, labels, constant(num_classes + 1, (), torch.int64, labels.device))

    def raise_any(self) -> None:
        """ValueError if a label since the last call was neither a class nor the ignore index (waits for the device)."""
        if not self._extremes:
            return
        lowest, highest = zip(*self._extremes, strict=True)
        least, most = int(torch.stack(lowest).amin()), int(torch.stack(highest).amax())
        self._extremes.clear()
        if least < 0 or most >= self._classes:
            wrong = ' and '.join(str(label) for label in (least, most) if not 0 <= label < self._classes)
            raise ValueError(f'labels as far out as {wrong} are neither one of the {self._classes} classes '
                             f'(0..{self._classes - 1}) nor the ignore index ({self._ignore_index})')
