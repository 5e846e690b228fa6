"""Running class-conditional mean and covariance (Eqs. 1-3)."""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.core.moments import ClassMoments, batch_moments, empty_moments, merge, update_in_place
from isda_seg.core.ops.checks import check_features
from isda_seg.core.ops.device import on_cpu, widest
from isda_seg.core.ops.labels import labelled
from isda_seg.core.ranks import SampleGathering, merge_ranks, world_size
from isda_seg.core.windows import Windows, windowed_moments


class ClassStatistics(nn.Module):
    """Running moments of all observed features, over all ranks.

    Args:
        num_classes: C, at least 2.
        channels: A.
        covariance: 'diagonal' (C, A), 'full' (C, A, A), 'shared' (1, A, A) or 'identity' (1, A) (Table 8).
        sync: merge the batches of all ranks; False keeps separate statistics per rank, as the authors' code does.

    Attributes:
        count: (C,) int64 number of samples, a buffer; float64 once class probabilities have been observed.
        mean: (C, A) float64, a buffer, because features far from zero move it by less than float32 resolves; float32 on
            MPS, which has no float64.
        covariance: float32, a buffer.
        dropped: number of samples ignored because a feature was not finite, on this rank, or on all ranks if these
            exchange samples; not saved in the state dict.

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
            raise ValueError('ClassStatistics needs at least 2 classes and 1 channel, got '
                             f'num_classes={num_classes} and channels={channels}')
        self.num_classes, self.channels, self.kind, self.sync = num_classes, channels, covariance, sync
        for name, value in empty_moments(num_classes, channels, covariance)._asdict().items():
            self.register_buffer(name, value.double() if name == 'mean' else value)
        self.register_buffer('dropped', torch.zeros((), dtype=torch.int64), persistent=False)
        self._gathering = SampleGathering()
        self._own: ClassMoments | None = None

    @property
    def moments(self) -> ClassMoments:
        """A copy of the running moments, which later observations do not change."""
        return ClassMoments(*(field.clone() for field in self.running()))

    def running(self) -> ClassMoments:
        """Return the moments: the buffers, or the values they copy if each rank has separate statistics.

        Buffers that FSDP's mixed precision or an assigned state has narrowed get their dtypes back.
        """
        if self._own is None and (self.mean.dtype != widest(self.mean) or self.covariance.dtype != torch.float32):
            self.store(ClassMoments(self.count, self.mean, self.covariance))
        return self._own or ClassMoments(self.count, self.mean, self.covariance)

    @torch.no_grad()
    def observe(self, features: Tensor | Windows, labels: Tensor, ignore_index: int | None = None, *,
                checked: bool = False, reversible: bool = False) -> Callable[[], None]:
        """Merge one batch of every rank into the running moments.

        Args:
            features: (N, A) or (B, A, ...), or the windows of a k x k classifier.
            labels: (N,) or (B, ...), or class probabilities (N, C) or (B, C, ...) on all ranks.
            ignore_index: samples with this label do not count.
            checked: whether the labels are already int64 and known to be classes or ignored.
            reversible: whether to copy the moments that are updated in place, those of the classes in the batch.

        Returns:
            a function that undoes this observation, before the next one; it needs ``reversible`` on a CPU.

        Raises:
            ValueError: a number of channels other than A, labels that do not fit, a label outside the classes (on a
                CPU).
        """
        if features.dim() < 2 or features.shape[1] != self.channels:
            raise ValueError(f'the statistics have {self.channels} feature channels, got features of shape '
                             f'{tuple(features.shape)}')
        labels = check_features(features, labels, self.num_classes, ignore_index, checked)
        alone, undo = not self.merges_ranks(), self._undo()
        if isinstance(features, Windows):
            self._merge_batch(*windowed_moments(features, labels, self.num_classes, self.kind, ignore_index), alone)
            return undo
        gathered = None if alone or labels.dim() > 1 else \
            self._gathering.gather(features, labels, ignore_index, self._few())
        if gathered is not None:
            (features, labels), alone, ignore_index = gathered, True, -1
        full = self.kind == 'full' and not labels.is_floating_point()
        if alone and on_cpu(labels) and (full or labels.dim() == 1 and len(labels) < self._few()):
            if reversible:
                undo = self._undo(labels[labelled(labels, ignore_index)])
            self.dropped = self.dropped + update_in_place(self.running(), features, labels, ignore_index)
            if self._per_rank():
                self.store(self.running())
            return undo
        self._merge_batch(*batch_moments(features, labels, self.num_classes, self.kind, ignore_index), alone)
        return undo

    def merges_ranks(self) -> bool:
        """Return whether a batch is merged over several ranks."""
        return self.sync and world_size() > 1

    def gathers(self, labels: Tensor, most: int) -> bool:
        """Return whether ranks of an accelerator exchange samples, at most ``most``; they agree at the first call."""
        capacity = self._gathering.capacity if self._gathering.accepts(labels, self._few()) else None
        return capacity is not None and capacity * world_size() <= most

    def gather(self, features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return features (N, A) and labels (N,) of all ranks, -1 for those outside the classes, after ``gathers``."""
        gathered = self._gathering.gather(features, labels, self.num_classes, self._few())
        assert gathered is not None
        return gathered

    def _undo(self, changed: Tensor | None = None) -> Callable[[], None]:
        """Return a function that restores the present state, and the moments of the classes that change in place."""
        buffers, own, moments = dict(self._buffers), self._own, self.running()
        classes = None if changed is None else torch.unique(changed)
        rows = [] if classes is None else [field[classes] for field in moments]

        def undo() -> None:
            self._buffers.update(buffers)
            self._own = own
            for field, row in zip(moments, rows, strict=False):
                field[classes] = row

        return undo

    def _merge_batch(self, batch: ClassMoments, dropped: Tensor, alone: bool) -> None:
        self.dropped = self.dropped + dropped
        self.store(merge(self.running(), batch if alone else merge_ranks(batch)))

    def _few(self) -> int:
        """Return the number of samples below which an update in place is cheaper than a merge: few classes change."""
        return {'full': self.num_classes * self.channels, 'diagonal': self.num_classes}.get(self.kind, 0)

    def _per_rank(self) -> bool:
        """Return whether ranks differ. DistributedDataParallel then overwrites the buffers, which are only copies."""
        return not self.sync and world_size() > 1

    def store(self, moments: ClassMoments) -> None:
        """Replace the running moments."""
        apart = self._per_rank()
        moments = moments._replace(mean=moments.mean.to(widest(moments.mean)), covariance=moments.covariance.float())
        self._own = moments if apart else None
        for name, value in moments._asdict().items():
            self._buffers[name] = value.clone() if apart else value  # setattr of a module takes several microseconds

    def raise_overflow(self) -> None:
        """Raise RuntimeError if samples exceeded the all-gather buffer. Synchronises with an accelerator.

        The capacity of the buffer is the largest batch of the first step, rounded up to a power of two.
        """
        overflow = 0 if self._gathering.overflow is None else int(self._gathering.overflow)
        if overflow:
            raise RuntimeError(f'{overflow} samples exceeded the all-gather buffer of the statistics, because a batch '
                               'was larger than those of the first step: use a constant batch size, or sync=False')

    def extra_repr(self) -> str:
        """Return size and kind for ``repr``."""
        return f'{self.num_classes}, {self.channels}, covariance={self.kind!r}, sync={self.sync}'

    def check_state(self, state_dict: dict[str, Tensor], prefix: str) -> None:
        """Raise ValueError for moments with other classes, channels or another kind of covariance."""
        names = f'{prefix}mean', f'{prefix}covariance'
        found = [tuple(state_dict[name].shape) for name in names if name in state_dict]
        needed = [tuple(self.mean.shape), tuple(self.covariance.shape)]
        if len(found) == 2 and found != needed:
            raise ValueError(
                f'{prefix.rstrip(".")}: the checkpoint holds a mean of shape {found[0]} and a covariance of shape '
                f'{found[1]}, this model needs {needed[0]} and {needed[1]} (covariance={self.kind!r}). Use the model '
                'and covariance of the checkpoint, or start with fresh statistics by load_statistics=False in this '
                'loss')

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Load the state; ValueError as ``check_state``."""
        self.check_state(state_dict, prefix)
        if (count := state_dict.get(f'{prefix}count')) is not None and count.is_floating_point():
            self.count = self.count.to(count.dtype)  # of class probabilities
        if (capacity := state_dict.pop(f'{prefix}capacity', None)) is not None:
            self._gathering.capacity = int(capacity)
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._own = None

    def _save_to_state_dict(self, destination: dict[str, Tensor], prefix: str, keep_vars: bool) -> None:
        """Save the state; on an accelerator, also the capacity of the messages between ranks."""
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self._gathering.capacity is not None and not on_cpu(self.count):
            destination[f'{prefix}capacity'] = torch.tensor(self._gathering.capacity)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Move the buffers with the module, but keep their dtypes under ``.half()``, ``.bfloat16()``, ``.double()``."""
        self._own = None
        for name, buffer in self._buffers.items():
            if buffer is not None:
                try:
                    moved = fn(buffer)
                except TypeError:  # MPS has no float64
                    moved = fn(buffer.float())
                dtype = widest(moved) if name == 'mean' else buffer.dtype
                self._buffers[name] = moved if moved.dtype == dtype else buffer.to(moved.device, dtype)
        return self
