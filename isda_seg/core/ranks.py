"""What the ranks of a distributed run tell each other: one message a step, of their moments or of their samples."""
import torch
import torch.distributed as dist
from torch import Tensor

from isda_seg.core.moments import ClassMoments, common_mean, merge
from isda_seg.core.ops.checks import at_least_float32, labelled
from isda_seg.core.ops.device import on_host


def world_size() -> int:
    """How many ranks observe together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def merge_ranks(moments: ClassMoments) -> ClassMoments:
    """The moments of all ranks' samples: the same bits on every rank.

    Diagonals are gathered and merged in rank order, C (1 + 2A) numbers from each rank. Matrices are summed, so that a
    rank receives one sum instead of a matrix per rank: first counts and means, then the covariances about the common
    means.
    """
    if world_size() == 1:
        return moments
    if moments.covariance.dim() == 3:
        return _sum_ranks(moments)
    count, mean, covariance = moments
    message = torch.cat([count.view(mean.dtype), mean.flatten(), covariance.flatten()])
    sizes = [len(message) - mean.numel() - covariance.numel(), mean.numel(), covariance.numel()]
    if len(message) % 2:
        message = torch.cat([message, message.new_zeros(1)])  # counts are read back in place, as eight bytes each
    parts = []
    for row in _gather(message):
        own = row[:sum(sizes)].split(sizes)
        parts.append(ClassMoments(own[0].view(torch.int64), own[1].view_as(mean), own[2].view_as(covariance)))
    return merge(*parts)


def _sum_ranks(own: ClassMoments) -> ClassMoments:
    """Full moments (C, A, A) of each class, or shared ones (1, A, A) of all samples."""
    weighted = torch.cat([own.count[:, None], own.count[:, None] * own.mean.double()], dim=1)
    dist.all_reduce(weighted)  # in float64, so that counts stay exact
    count = weighted[:, 0].long()
    mean = (weighted[:, 1:] / count.clamp(min=1)[:, None]).to(own.mean.dtype)
    number, total, delta = own.count, count, own.mean - mean
    if len(own.covariance) < len(count):
        number, total = number.sum(0, keepdim=True), total.sum(0, keepdim=True)
        delta = common_mean(own)[None] - common_mean(ClassMoments(count, mean, own.covariance))[None]
    share = (number / total.clamp(min=1)).to(mean.dtype)[:, None, None]
    covariance = share * torch.baddbmm(own.covariance, delta[:, :, None], delta[:, None, :])
    dist.all_reduce(covariance)
    return ClassMoments(count, mean, covariance)


class SampleExchange:
    """All ranks' samples in rank order, in one message a step.

    Ranks may bring different numbers of samples, so that a message has room for as many as any rank brought to the
    first step, and says how many there are. Where there are more, later, a second message brings the rest at once on a
    host; a device would have to be waited for, so there they are missed, and counted.

    Attributes:
        missed: () samples that found no room.
    """

    def __init__(self) -> None:
        self.room: int | None = None
        self.missed: Tensor | None = None

    def agree(self, labels: Tensor) -> int:
        """Room for this many samples of every rank, the same on all of them."""
        if self.room is None:
            self.room = int(_gather(torch.tensor([len(labels)], device=labels.device)).max())
        return self.room

    def gather(self, features: Tensor, labels: Tensor, ignore_index: int | None) -> tuple[Tensor, Tensor]:
        """Features (N, A) and labels (N,) of all ranks, -1 where there is none; labels below 2^24."""
        room = self.agree(labels)
        counts = labelled(labels, ignore_index)
        rows = torch.cat([features.to(at_least_float32(features)), torch.where(counts, labels, -1)[:, None]], dim=1)
        found = [self._send(rows[:room], room, len(rows))]
        if on_host(rows):
            while (most := int(found[-1][:, 0, -1].max())) > room:
                rows = rows[room:]
                self.room, room = most, most - room
                found.append(self._send(rows, room, len(rows)))
        else:
            more = (found[0][:, 0, -1] - room).clamp(min=0).sum()
            self.missed = more if self.missed is None else self.missed + more
        rows = torch.cat([message[:, 1:] for message in found], dim=1).flatten(0, 1)
        return rows[:, :-1], rows[:, -1].long()

    @staticmethod
    def _send(rows: Tensor, room: int, brought: int) -> Tensor:
        """(ranks, 1 + room, A + 1): how many rows each rank brought, then the rows, filled up with unlabelled ones."""
        message = rows.new_zeros(1 + room, rows.shape[1])
        message[:, -1] = -1
        message[0, -1] = brought
        message[1:1 + len(rows)] = rows
        return _gather(message)


def _gather(tensor: Tensor) -> Tensor:
    """One tensor of the same shape from every rank: (ranks, ...), in rank order."""
    result = tensor.new_empty(world_size(), *tensor.shape)
    dist.all_gather(list(result), tensor.contiguous())
    return result
