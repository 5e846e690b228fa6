"""Deferred errors for labels outside the classes, which avoid a synchronisation with an accelerator per step."""
from collections.abc import Sequence

import torch
from torch import Tensor

from isda_seg.core.ops.checks import check_logits, improper, raise_improper
from isda_seg.core.ops.device import constant, on_cpu
from isda_seg.core.ops.labels import is_soft, labelled
from isda_seg.core.ops.transient import Transient


class LabelErrors(Transient):
    """Smallest and largest label of each step since the last call of ``raise_deferred``."""

    def __init__(self) -> None:
        self._extremes: list[tuple[Tensor, Tensor]] = []  # scalar tensors
        self._improper: Tensor | bool = False  # whether class probabilities were invalid
        self._classes, self._ignore_index = 0, 0

    def check(self, labels: Tensor, logits: Tensor, ignore_index: int,
              sources: Sequence[str] | None = None) -> tuple[Tensor, int]:
        """Return the labels as int64, and their ignore index; on a CPU, raise ValueError for invalid ones.

        An accelerator ignores invalid labels. Class probabilities keep their dtype; it replaces invalid ones by 0.
        """
        if is_soft(logits, labels):
            self._improper = improper(labels) | self._improper
            if on_cpu(labels):
                self.raise_deferred()
            return labels.nan_to_num(0.0, 0.0, 0.0).clamp(min=0), ignore_index
        labels, classes = check_logits(logits, labels, ignore_index, sources), logits.shape[1]
        if on_cpu(labels):
            return labels, ignore_index
        return self.mask_invalid(labels, classes, ignore_index), classes + 1

    def mask_invalid(self, labels: Tensor, num_classes: int, ignore_index: int) -> Tensor:
        """Return the labels with ``num_classes + 1`` in place of invalid and ignored ones, and note the extremes."""
        valid = labelled(labels, ignore_index)
        inside = labels.clamp(0, num_classes - 1) == labels
        if 0 <= ignore_index < num_classes:
            inside = inside & valid
        if labels.numel():
            self._extremes.append(torch.aminmax(labels * valid))
        self._classes, self._ignore_index = num_classes, ignore_index
        return torch.where(inside, labels, constant(num_classes + 1, (), torch.int64, labels.device))

    def raise_deferred(self) -> None:
        """Raise ValueError if a label since the last call was neither a class nor ignored. Synchronises."""
        found, self._improper = self._improper, False
        raise_improper(found)
        if not self._extremes:
            return
        lowest, highest = zip(*self._extremes, strict=True)
        least, most = int(torch.stack(lowest).amin()), int(torch.stack(highest).amax())
        self._extremes.clear()
        if least < 0 or most >= self._classes:
            raise invalid_labels(least, most, self._classes, self._ignore_index)


def invalid_labels(least: int, most: int, num_classes: int, ignore_index: int) -> ValueError:
    """Return the error for labels from ``least`` to ``most``, some of them outside the classes."""
    wrong = ' and '.join(str(label) for label in dict.fromkeys((least, most)) if not 0 <= label < num_classes)
    return ValueError(f'labels such as {wrong} are neither one of the {num_classes} classes (0..{num_classes - 1}) nor '
                      f'the ignore index ({ignore_index}): correct the labels or num_classes')
