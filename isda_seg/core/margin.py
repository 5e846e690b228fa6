"""The C x C table: how far each class margin spreads under the augmentation (inside Eq. 7)."""
import torch
from torch import Tensor

from isda_seg.core.ops.checks import at_least_float32, check_pair
from isda_seg.core.ops.device import on_host, widest
from isda_seg.core.ops.precision import full_precision
from isda_seg.core.ops.quadratic import LARGEST, difference_forms, square_forms

DIFFERENCES_ON_HOST = 1 << 18  # elements of (n, C, A) up to which rows are subtracted one by one
DIFFERENCES = 1 << 25          # the same on a device


def margin_variance(weight: Tensor, covariance: Tensor) -> Tensor:
    """``T[y, c] = (w_c - w_y)^T Sigma_y (w_c - w_y)``, the variance of ``(w_c - w_y)^T a~`` per unit of strength.

    Args:
        weight: (C, A) rows of the classifier; gradients flow into it.
        covariance: (C, A) diagonals or (C, A, A) matrices, or leading dimension 1 where all classes share it.

    Returns:
        (C, C), row = true class; the diagonal is exactly 0, no entry is negative or infinite. At least float32.

    Raises:
        ValueError: shapes that do not belong together.
    """
    check_pair(weight, covariance)
    return _rows(weight, covariance, None)


def label_margin_variance(weight: Tensor, covariance: Tensor, labels: Tensor) -> Tensor:
    """``margin_variance(weight, covariance)[labels]``, without rows that no label asks for.

    Args:
        weight: (C, A) rows of the classifier; gradients flow into it.
        covariance: as for ``margin_variance``.
        labels: (N,) int64, each in 0..C-1.

    Returns:
        (N, C).
    """
    check_pair(weight, covariance)
    if covariance.dim() == 3 and on_host(labels):  # a row costs C A^2: each class once
        classes, position = torch.unique(labels, return_inverse=True)
        return _rows(weight, covariance, classes).index_select(0, position)
    if len(labels) < len(weight):
        return _rows(weight, covariance, labels)
    return margin_variance(weight, covariance).index_select(0, labels)


def _rows(weight: Tensor, covariance: Tensor, classes: Tensor | None) -> Tensor:
    """The table's rows of some true classes (n,), by default all: (n, C)."""
    w, sigma = (tensor.to(at_least_float32(weight, covariance)) for tensor in (weight, covariance))
    n = len(w) if classes is None else len(classes)
    with full_precision(w.device.type):
        if sigma.dim() == 3 or n * w.numel() <= (DIFFERENCES_ON_HOST if on_host(w) else DIFFERENCES):
            return difference_forms(w, classes, sigma)
        if classes is not None and len(sigma) > 1:
            sigma = sigma[classes]
        each = torch.arange(len(w), device=w.device)
        same = (each if classes is None else classes)[:, None] == each
        sigma = sigma.clamp(max=LARGEST).expand(n, -1)
        if on_host(w):
            table, cancelled = square_forms(w, classes, sigma)
            if bool((cancelled & ~same).any()):
                table = square_forms(w.double(), classes, sigma.double())[0].to(w.dtype)
        else:
            table = square_forms(w.to(widest(w)), classes, sigma.to(widest(w)))[0].to(w.dtype)
        return table.clamp(min=0).masked_fill(same, 0)
