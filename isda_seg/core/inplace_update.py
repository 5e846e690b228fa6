"""In-place update of class moments with a small batch: classes without a sample are not read. CPU only."""
import torch
from torch import Tensor

from isda_seg.core.moments import ClassMoments, batch_moments, merge
from isda_seg.core.ops.checks import labelled
from isda_seg.core.ops.class_matrices import update_full_in_place


@torch.no_grad()
def update_in_place(moments: ClassMoments, features: Tensor, labels: Tensor, ignore_index: int | None) -> Tensor:
    """Merge a batch into ``moments`` in place, like ``merge`` with the batch's ``class_moments`` (Eqs. 1-3).

    Args:
        moments: diagonal or full moments of C classes; only classes in the batch are changed.
        features: (N, A), or (B, A, H, W) for full moments; samples with a non-finite entry do not count.
        labels: (N,) or (B, H, W) int64, already checked.
        ignore_index: samples with this label do not count.

    Returns:
        the number of labelled samples with a non-finite feature, a scalar tensor.
    """
    if moments.covariance.dim() == 3:
        return update_full_in_place(moments, features, labels, ignore_index)
    valid = labelled(labels, ignore_index)
    classes, labels = torch.unique(labels[valid], return_inverse=True)
    batch, dropped = batch_moments(features[valid], labels, len(classes), 'diagonal', None)
    merged = merge(ClassMoments(*(field[classes] for field in moments)), batch)
    for field, value in zip(moments, merged, strict=True):
        field[classes] = value.to(field.dtype)
    return dropped
