"""Cross-rank gathering of moments or samples, once per step."""

import torch
import torch.distributed as dist
from torch import Tensor

from isda_seg.core.moments import ClassMoments, common_mean, merge
from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.labels import labelled
from isda_seg.core.ops.precision import at_least_float32
from isda_seg.core.ops.transient import Transient
from isda_seg.core.ops.weighted_moments import positive


def world_size() -> int:
    """Return the number of ranks; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def merge_ranks(moments: ClassMoments) -> ClassMoments:
    """Return the moments of the samples of all ranks, bitwise equal on every rank.

    Diagonal moments are all-gathered, C (1 + 2A) elements per rank, and merged in rank order. Moments with full
    matrices are all-reduced to limit memory: first counts and means, then covariances about the common means.
    """
    if world_size() == 1:
        return moments
    if moments.covariance.dim() == 3:
        return _sum_ranks(moments)
    count, mean, covariance = moments
    message = torch.cat([count.view(mean.dtype), mean.flatten(), covariance.flatten()])
    sizes = [len(message) - mean.numel() - covariance.numel(), mean.numel(), covariance.numel()]
    if len(message) % 2:
        message = torch.cat([message, message.new_zeros(1)])  # aligns each row to the eight bytes of a count
    parts = []
    for row in _gather(message):
        own = row[:sum(sizes)].split(sizes)
        parts.append(ClassMoments(own[0].view(count.dtype), own[1].view_as(mean), own[2].view_as(covariance)))
    return merge(*parts)


def _sum_ranks(own: ClassMoments) -> ClassMoments:
    """Compute ``merge_ranks`` for full (C, A, A) or shared (1, A, A) covariances with two all-reduces."""
    weighted = torch.cat([own.count[:, None], own.count[:, None] * own.mean.double()], dim=1)
    dist.all_reduce(weighted)  # float64 keeps the counts exact
    count = weighted[:, 0].to(own.count.dtype)
    mean = (weighted[:, 1:] / positive(count)[:, None]).to(own.mean.dtype)
    number, total, delta = own.count, count, own.mean - mean
    if len(own.covariance) < len(count):
        number, total = number.sum(0, keepdim=True), total.sum(0, keepdim=True)
        delta = common_mean(own)[None] - common_mean(ClassMoments(count, mean, own.covariance))[None]
    share = (number / positive(total)).to(mean.dtype)[:, None, None]
    covariance = share * torch.baddbmm(own.covariance, delta[:, :, None], delta[:, None, :])
    dist.all_reduce(covariance)
    return ClassMoments(count, mean, covariance)


class SampleGathering(Transient):
    """All-gather of the samples of all ranks, in rank order, if no rank has many.

    A message holds up to ``capacity`` samples of a rank, and their number. On CPUs, a batch larger than ``capacity`` is
    exchanged in two messages, and ``capacity`` grows to its size. The results depend on the batch alone, so that a
    resumed run equals the uninterrupted one. An accelerator would have to synchronise first: its capacity is the
    largest batch of any rank at the first step, rounded up to a power of two because box heads sample up to 512
    proposals per image. The statistics save it. Samples beyond it are dropped and counted.
    """

    def __init__(self) -> None:
        self.capacity: int | None = None
        self.overflow: Tensor | None = None  # number of samples beyond the capacity of an accelerator, a scalar

    def accepts(self, labels: Tensor, limit: int) -> bool:
        """Return whether the ranks exchange samples; the ranks agree on the capacity at the first call.

        They do not if ``limit`` is 0, or if a rank of an accelerator had ``limit`` samples at the first step.
        """
        if limit == 0:
            return False
        if self.capacity is None:
            most = 0 if on_cpu(labels) else int(_gather(torch.tensor([len(labels)], device=labels.device)).max())
            self.capacity = most if not 0 < most < limit else min(1 << (most - 1).bit_length(), limit - 1)
        return on_cpu(labels) or self.capacity < limit

    def gather(self, features: Tensor, labels: Tensor, ignore_index: int | None,
               limit: int) -> tuple[Tensor, Tensor] | None:
        """Return features (N, A) and labels (N,) of all ranks, with label -1 for padding. Labels must be below 2^24.

        The result is None if a rank has ``limit`` samples or more; on an accelerator, if one had at the first step.
        """
        if not self.accepts(labels, limit):
            return None
        assert self.capacity is not None
        capacity, valid = self.capacity, labelled(labels, ignore_index)
        rows = torch.cat([features.to(at_least_float32(features)), torch.where(valid, labels, -1)[:, None]], dim=1)
        found = [self._send(rows[:capacity], capacity, len(rows))]
        if on_cpu(rows):
            most = int(found[0][:, 0, -1].max())
            if most >= limit:
                return None
            if most > capacity:
                found.append(self._send(rows[capacity:], most - capacity, len(rows)))
                self.capacity = most
        else:
            more = (found[0][:, 0, -1] - capacity).clamp(min=0).sum()
            self.overflow = more if self.overflow is None else self.overflow + more
        rows = torch.cat([message[:, 1:] for message in found], dim=1).flatten(0, 1)
        return rows[:, :-1], rows[:, -1].long()

    @staticmethod
    def _send(rows: Tensor, capacity: int, number: int) -> Tensor:
        """Gather (ranks, 1 + capacity, A + 1): the number of rows of each rank, its rows, and unlabelled padding."""
        message = rows.new_zeros(1 + capacity, rows.shape[1])
        message[:, -1] = -1
        message[0, -1] = number
        message[1:1 + len(rows)] = rows
        return _gather(message)


def _gather(tensor: Tensor) -> Tensor:
    """Return the tensors of all ranks, stacked in rank order: (ranks, ...)."""
    result = tensor.new_empty(world_size(), *tensor.shape)
    dist.all_gather(list(result), tensor.contiguous())
    return result
