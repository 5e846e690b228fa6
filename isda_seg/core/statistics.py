"""The running class statistics: buffers and one observation per training step (Eqs. 1-3)."""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.core.checks import labelled
from isda_seg.core.fold import fold_full
from isda_seg.core.moments import ClassMoments, class_moments, empty_moments, merge
from isda_seg.core.ranks import gather_if_less, merge_ranks


class ClassStatistics(nn.Module):
    """Moments of every feature observed so far, over all ranks.

    Args:
        num_classes: C, at least 2.
        channels: A.
        covariance: 'diagonal' (C, A), 'full' (C, A, A), 'shared' (1, A, A) or 'identity' (1, A) (Table 8).
        sync: merge every rank's batch; False keeps statistics per rank, as the authors' code does.

    Attributes:
        count: (C,) int64, mean: (C, A) float32, covariance: float32; the state dict, in this order.
        dropped: samples left out so far because a feature was not finite (not saved).

    Raises:
        ValueError: fewer than 2 classes, no channels, an unknown covariance.
    """

    count: Tensor
    mean: Tensor
    covariance: Tensor
    dropped: Tensor

    def __init__(self, num_classes: int, channels: int, covariance: str = 'diagonal', sync: bool = True) -> None:
        super().__init__()
        if num_classes < 2 or channels < 1:
            raise ValueError(f'at least 2 classes and 1 channel are needed, got {num_classes} and {channels}')
        self.num_classes, self.channels, self.kind, self.sync = num_classes, channels, covariance, sync
        for name, value in empty_moments(num_classes, channels, covariance)._asdict().items():
            self.register_buffer(name, value)
        self.register_buffer('dropped', torch.zeros((), dtype=torch.int64), persistent=False)

    @property
    def moments(self) -> ClassMoments:
        """The running moments, as a value."""
        return ClassMoments(self.count, self.mean, self.covariance)

    @torch.no_grad()
    def observe(self, features: Tensor, labels: Tensor, ignore_index: int | None = None) -> None:
        """Fold one batch, from every rank, into the running moments.

        Args:
            features: (N, A) or (B, A, H, W).
            labels: (N,) or (B, H, W).
            ignore_index: samples with this label do not count.

        Raises:
            ValueError: channels other than A, labels that do not fit, a label outside the classes (on a CPU).
        """
        if features.dim() < 2 or features.shape[1] != self.channels:
            raise ValueError(f'the statistics hold {self.channels} feature channels, got features of shape '
                             f'{tuple(features.shape)}')
        if self.sync and self.kind == 'full' and labels.dim() == 1:
            features, labels, ignore_index, gathered = gather_if_less(features, labels, ignore_index, self.num_classes)
        else:
            gathered = not self.sync
        if gathered and self.kind == 'full' and labels.dim() == 1:
            self.dropped += labelled(labels, ignore_index).sum() - fold_full(self.moments, features, labels,
                                                                             ignore_index)
            return
        batch = class_moments(features, labels, self.num_classes, covariance=self.kind, ignore_index=ignore_index)
        self.dropped += labelled(labels, ignore_index).sum() - batch.count.sum()
        batch = batch if gathered else merge_ranks(batch)
        for name, value in merge(self.moments, batch)._asdict().items():
            setattr(self, name, value.float() if value.is_floating_point() else value)

    def reset(self) -> None:
        """Forget everything observed."""
        fresh = empty_moments(self.num_classes, self.channels, self.kind, device=self.count.device)
        for name, value in fresh._asdict().items():
            setattr(self, name, value)
        self.dropped.zero_()

    def extra_repr(self) -> str:
        return f'{self.num_classes}, {self.channels}, covariance={self.kind!r}, sync={self.sync}'

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Follow the module to its device, but stay float32 under ``.half()``, ``.bfloat16()`` and ``.double()``."""
        for name, buffer in self._buffers.items():
            if buffer is not None:
                moved = fn(buffer)
                self._buffers[name] = moved if moved.dtype == buffer.dtype else buffer.to(moved.device)
        return self
