"""The running class statistics: buffers and one observation per training step (Eqs. 1-3)."""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.core.few_samples import fold
from isda_seg.core.moments import ClassMoments, batch_moments, empty_moments, merge
from isda_seg.core.ops.checks import check_labels, check_samples
from isda_seg.core.ops.device import on_host
from isda_seg.core.ranks import SampleExchange, merge_ranks, world_size
from isda_seg.core.windows import Windows, windowed_moments


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
        self._exchange = SampleExchange()
        self._kept: ClassMoments | None = None

    @property
    def moments(self) -> ClassMoments:
        """The running moments, as a value: later observations leave it as it is."""
        return ClassMoments(*(field.clone() for field in self._moments()))

    def _moments(self) -> ClassMoments:
        """The buffers, or what they are copies of: see ``_apart``."""
        return self._kept or ClassMoments(self.count, self.mean, self.covariance)

    @torch.no_grad()
    def observe(self, features: Tensor | Windows, labels: Tensor, ignore_index: int | None = None, *,
                checked: bool = False) -> None:
        """Fold one batch, from every rank, into the running moments.

        Args:
            features: (N, A) or (B, A, H, W), or the windows of a k x k classifier.
            labels: (N,) or (B, H, W).
            ignore_index: samples with this label do not count.
            checked: the labels are int64 and known to be classes or ignored: they are not read for that again.

        Raises:
            ValueError: channels other than A, labels that do not fit, a label outside the classes (on a CPU).
        """
        if features.dim() < 2 or features.shape[1] != self.channels:
            raise ValueError(f'the statistics hold {self.channels} feature channels, got features of shape '
                             f'{tuple(features.shape)}')
        check_samples(features, labels)
        labels = labels if checked else check_labels(labels, self.num_classes, ignore_index)
        alone = not self.sync or world_size() == 1
        if isinstance(features, Windows):
            self._fold(*windowed_moments(features, labels, self.num_classes, self.kind, ignore_index), alone)
            return
        if not alone and labels.dim() == 1 and self._few(self._exchange.agree(labels)):
            features, labels = self._exchange.gather(features, labels, ignore_index)
            alone, ignore_index = True, -1
        if alone and on_host(labels) and (self.kind == 'full' or labels.dim() == 1 and self._few(len(labels))):
            self.dropped += fold(self._moments(), features, labels, ignore_index)
            if self._apart():
                self._store(self._moments())
            return
        self._fold(*batch_moments(features, labels, self.num_classes, self.kind, ignore_index), alone)

    def _fold(self, batch: ClassMoments, dropped: Tensor, alone: bool) -> None:
        self.dropped += dropped
        self._store(merge(self._moments(), batch if alone else merge_ranks(batch)))

    def _few(self, samples: int) -> bool:
        """Whether this many samples are fewer numbers than the moments of all classes, and of few of them."""
        return self.kind == 'full' and samples < self.num_classes * self.channels or \
            self.kind == 'diagonal' and samples < self.num_classes

    def _apart(self) -> bool:
        """Whether ranks differ, so that buffers are copies: DistributedDataParallel overwrites them with rank 0's."""
        return not self.sync and world_size() > 1

    def _store(self, moments: ClassMoments) -> None:
        moments, apart = ClassMoments(moments.count, moments.mean.float(), moments.covariance.float()), self._apart()
        self._kept = moments if apart else None
        for name, value in moments._asdict().items():
            setattr(self, name, value.clone() if apart else value)

    def reset(self) -> None:
        """Forget everything observed."""
        self._store(empty_moments(self.num_classes, self.channels, self.kind, device=self.count.device))
        self.dropped.zero_()

    def raise_missed(self) -> None:
        """RuntimeError if samples found no room in a message between devices (waits for the device).

        A device sends as many samples as the largest batch of the first step had.
        """
        missed = 0 if self._exchange.missed is None else int(self._exchange.missed)
        if missed:
            raise RuntimeError(f'{missed} samples found no room in the statistics of all ranks, because a batch was '
                               'larger than those of the first step: train with batches of one size, or sync=False')

    def extra_repr(self) -> str:
        """Size and kind."""
        return f'{self.num_classes}, {self.channels}, covariance={self.kind!r}, sync={self.sync}'

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """ValueError for moments of other classes, channels or another kind."""
        names = f'{prefix}mean', f'{prefix}covariance'
        found = [tuple(state_dict[name].shape) for name in names if name in state_dict]
        needed = [tuple(self.mean.shape), tuple(self.covariance.shape)]
        if len(found) == 2 and found != needed:
            raise ValueError(
                f'{prefix.rstrip(".")}: the checkpoint holds a mean of shape {found[0]} and a covariance of shape '
                f'{found[1]}, this model needs {needed[0]} and {needed[1]} (covariance={self.kind!r}). Use the model '
                'and covariance the checkpoint was trained with, or load_statistics=False in this loss to start with '
                'fresh statistics')
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._kept = None

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Follow the module to its device, but stay float32 under ``.half()``, ``.bfloat16()`` and ``.double()``."""
        self._kept = None
        for name, buffer in self._buffers.items():
            if buffer is not None:
                moved = fn(buffer)
                self._buffers[name] = moved if moved.dtype == buffer.dtype else buffer.to(moved.device)
        return self
