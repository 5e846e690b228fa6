"""Full covariances observed in place: a batch holds few of the classes, and each matrix is large."""
import torch
from torch import Tensor

from isda_seg.core.checks import check_labels, labelled
from isda_seg.core.moments import ClassMoments
from isda_seg.core.precision import full_precision


@torch.no_grad()
def fold_full(moments: ClassMoments, features: Tensor, labels: Tensor, ignore_index: int | None) -> int:
    """Make ``moments`` those of its samples and these: what ``merge`` and ``class_moments`` give (Eqs. 1-3).

    Only matrices of classes in the batch are touched, one at a time, while it is in cache.

    Args:
        moments: full ones, (C,), (C, A) and (C, A, A); changed in place.
        features: (N, A); rows with a non-finite entry do not count.
        labels: (N,) integers; ignore_index does not count.

    Returns:
        how many samples counted.

    Raises:
        ValueError: a label outside the classes (on a CPU).
    """
    count, mean, covariance = moments
    labels = check_labels(labels, len(count), ignore_index)
    counts = labelled(labels, ignore_index) & features.sum(dim=1).isfinite()
    with full_precision(features.device.type):
        features = features.to(torch.promote_types(features.dtype, mean.dtype))
        for c in torch.unique(labels[counts]).tolist():
            own = features[counts & (labels == c)]
            new = len(own)
            total = int(count[c]) + new
            share = new / total
            own_mean = own.mean(dim=0)
            centred = (own - own_mean).to(mean.dtype)
            delta = (own_mean - mean[c]).to(mean.dtype)
            covariance[c].mul_(1 - share).addmm_(centred.t(), centred, alpha=share / new)
            covariance[c].addr_(delta, delta, alpha=share * (1 - share))
            mean[c].add_(delta, alpha=share)
            count[c] = total
    return int(counts.sum())
