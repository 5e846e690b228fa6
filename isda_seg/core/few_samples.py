"""A few samples observed in place: a batch holds few of the classes, so the others are not even read. For a host."""
import torch
from torch import Tensor

from isda_seg.core.moments import ClassMoments, batch_moments, merge
from isda_seg.core.ops.checks import labelled
from isda_seg.core.ops.precision import full_precision


@torch.no_grad()
def fold(moments: ClassMoments, features: Tensor, labels: Tensor, ignore_index: int | None) -> Tensor:
    """Make ``moments`` those of its samples and these: what ``merge`` and ``class_moments`` give (Eqs. 1-3).

    Args:
        moments: diagonal or full ones, of classes (C,); changed in place, for classes in the batch alone.
        features: (N, A); rows with a non-finite entry do not count.
        labels: (N,) int64, checked.
        ignore_index: samples with this label do not count.

    Returns:
        (), how many labelled samples were left out because a feature is not finite.
    """
    counts = labelled(labels, ignore_index)
    classes, labels = torch.unique(labels[counts], return_inverse=True)
    features = features[counts]
    if moments.covariance.dim() == 3:
        return _fold_matrices(moments, features, labels, classes)
    batch, dropped = batch_moments(features, labels, len(classes), 'diagonal', None)
    for field, value in zip(moments, merge(ClassMoments(*(field[classes] for field in moments)), batch), strict=True):
        field[classes] = value.to(field.dtype)
    return dropped


def _fold_matrices(moments: ClassMoments, features: Tensor, labels: Tensor, classes: Tensor) -> Tensor:
    """One class at a time, while its matrix is in cache; labels are positions in ``classes``."""
    count, mean, covariance = moments
    features = features.to(torch.promote_types(features.dtype, mean.dtype))
    finite = features.sum(dim=1).isfinite()
    within = torch.empty_like(covariance[0])
    with full_precision(features.device.type):
        for i, c in enumerate(classes.tolist()):
            own = features[finite & (labels == i)]
            new = len(own)
            if new == 0:
                continue
            share = new / (int(count[c]) + new)
            own_mean = own.mean(dim=0)
            # The spread between the two means is that of one more sample.
            rows = torch.cat([(own - own_mean).div_(new ** 0.5), ((own_mean - mean[c]) * (1 - share) ** 0.5)[None]])
            rows = rows.to(mean.dtype)
            covariance[c].lerp_(torch.mm(rows.t(), rows, out=within), share)
            mean[c].lerp_(own_mean.to(mean.dtype), share)
            count[c] += new
    return (~finite).sum()
