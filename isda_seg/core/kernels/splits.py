"""Moments of the splits of a batch, as ``operators.split_moments`` computes them, for the exchange between ranks."""
import torch
from torch import Tensor

from isda_seg.core.moments import ClassMoments

Parts = tuple[Tensor, ...]  # counts (splits, blocks, C); origins, means and centred squares (splits, C, A)


def moments_of(parts: Parts) -> ClassMoments:
    """Return the moments of a batch from those of its splits, for the exchange between ranks."""
    counts, origins, means, squares = parts[0][:, 0], *parts[1:]
    seen = (counts > 0)[:, :, None]
    count = counts.sum(dim=0)
    share = (counts / count.clamp(min=1))[:, :, None]
    origin = torch.where(seen, origins, -torch.inf).amax(dim=0).nan_to_num(neginf=0.0)
    centred = torch.where(seen, origins - origin + means, 0)
    shift = (share * centred).sum(dim=0)
    squares = torch.where(seen, squares, 0).sum(dim=0) / count.clamp(min=1)[:, None]
    covariance = squares + (share * (centred - shift).square()).sum(dim=0)
    return ClassMoments(count.long(), origin + shift, covariance)


def parts_of(moments: ClassMoments) -> Parts:
    """Return moments as those of a single split."""
    count = moments.count.int()[None, None]
    squares = moments.covariance * moments.count[:, None]
    return count, moments.mean[None], torch.zeros_like(squares)[None], squares[None]
