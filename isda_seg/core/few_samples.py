"""A few samples observed in place: a batch holds few of the classes, so the others are not even read. For a CPU."""
import torch
from torch import Tensor

from isda_seg.core.moments import ClassMoments, batch_moments, merge
from isda_seg.core.ops.checks import labelled
from isda_seg.core.ops.class_matrices import fold_full


@torch.no_grad()
def fold(moments: ClassMoments, features: Tensor, labels: Tensor, ignore_index: int | None) -> Tensor:
    """Make ``moments`` those of its samples and these: what ``merge`` and ``class_moments`` give (Eqs. 1-3).

    Args:
        moments: diagonal or full ones, of classes (C,); changed in place, for classes in the batch alone.
        features: (N, A), full moments also of (B, A, H, W); samples with a non-finite entry do not count.
        labels: (N,) or (B, H, W) int64, checked.
        ignore_index: samples with this label do not count.

    Returns:
        (), how many labelled samples were left out because a feature is not finite.
    """
    if moments.covariance.dim() == 3:
        return fold_full(moments, features, labels, ignore_index)
    counts = labelled(labels, ignore_index)
    classes, labels = torch.unique(labels[counts], return_inverse=True)
    batch, dropped = batch_moments(features[counts], labels, len(classes), 'diagonal', None)
    for field, value in zip(moments, merge(ClassMoments(*(field[classes] for field in moments)), batch), strict=True):
        field[classes] = value.to(field.dtype)
    return dropped
