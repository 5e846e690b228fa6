"""What the ranks of a distributed run tell each other: their moments, or their samples where that is less."""
import torch
import torch.distributed as dist
from torch import Tensor

from isda_seg.core.checks import at_least_float32
from isda_seg.core.moments import ClassMoments, merge


def world_size() -> int:
    """How many ranks observe together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def merge_ranks(moments: ClassMoments) -> ClassMoments:
    """The moments of all ranks' samples, merged in rank order: the same bits on every rank.

    Traffic per rank: C (1 + 2A) numbers for diagonals, C (1 + A + A^2) for matrices.
    """
    if world_size() == 1:
        return moments
    gathered = [_gather(field) for field in moments]
    return merge(*(ClassMoments(*fields) for fields in zip(*gathered, strict=True)))


def gather_if_less(features: Tensor, labels: Tensor, ignore_index: int | None,
                   num_classes: int) -> tuple[Tensor, Tensor, int | None, bool]:
    """All ranks' samples in rank order, where they are fewer numbers than everybody's full covariance matrices.

    Shorter ranks are padded with ignored samples. Returns features (N, A), labels (N,), the ignore index to use with
    them, and whether they were gathered; every rank decides alike.
    """
    if world_size() == 1:
        return features, labels, ignore_index, True
    longest = int(torch.stack(_gather(torch.tensor(len(labels), device=labels.device))).max())
    if longest >= num_classes * features.shape[1]:
        return features, labels, ignore_index, False
    pad = torch.iinfo(torch.int64).min if ignore_index is None else ignore_index
    features, labels = features.to(at_least_float32(features)), labels.long()
    missing = longest - len(labels)
    features = torch.cat([features, features.new_zeros(missing, features.shape[1])])
    labels = torch.cat([labels, labels.new_full((missing,), pad)])
    return torch.cat(_gather(features)), torch.cat(_gather(labels)), pad, True


def _gather(tensor: Tensor) -> list[Tensor]:
    """One tensor of the same shape from every rank, in rank order."""
    parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(world_size())]
    dist.all_gather(parts, tensor.contiguous())
    return parts
