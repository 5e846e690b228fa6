"""Margin table: the variance of each class margin under the augmentation (inside Eq. 7)."""
import torch
from torch import Tensor

from isda_seg.core.ops.checks import check_pair
from isda_seg.core.ops.device import on_cpu, widest
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.ops.quadratic import LARGEST, difference_forms, expanded_forms

DIFFERENCES_CPU = 1 << 18  # elements (n, C, A) up to which a CPU computes explicit differences of rows
DIFFERENCES = 1 << 25      # the same limit on an accelerator


def margin_variance(weight: Tensor, covariance: Tensor) -> Tensor:
    """Return ``T[y, c] = (w_c - w_y)^T Sigma_y (w_c - w_y)``, the variance of ``(w_c - w_y)^T a~`` at strength 1.

    Args:
        weight: (C, A) rows of the classifier; gradients flow into it.
        covariance: (C, A) diagonals or (C, A, A) matrices, or leading dimension 1 for a shared covariance.

    Returns:
        (C, C), row = true class; the diagonal is exactly 0, no entry is negative or infinite. At least float32.

    Raises:
        ValueError: shapes that do not fit.
    """
    check_pair(weight, covariance)
    return _rows(weight, covariance, None)


def label_margin_variance(weight: Tensor, covariance: Tensor, labels: Tensor) -> Tensor:
    """Return ``margin_variance(weight, covariance)[labels]``, (N, C), without computing other rows."""
    check_pair(weight, covariance)
    if covariance.dim() == 3 and on_cpu(labels):  # a row costs C A^2, so compute it once per class
        classes, position = torch.unique(labels, return_inverse=True)
        return _rows(weight, covariance, classes).index_select(0, position)
    if len(labels) < len(weight):
        return _rows(weight, covariance, labels)
    return margin_variance(weight, covariance).index_select(0, labels)


def _rows(weight: Tensor, covariance: Tensor, classes: Tensor | None) -> Tensor:
    """Return the table rows (n, C) of the true classes (n,), or of all classes for None."""
    w, sigma = (tensor.to(at_least_float32(weight, covariance)) for tensor in (weight, covariance))
    n = len(w) if classes is None else len(classes)
    with full_precision(w.device.type):
        if sigma.dim() == 3 or n * w.numel() <= (DIFFERENCES_CPU if on_cpu(w) else DIFFERENCES):
            return difference_forms(w, classes, sigma)
        if classes is not None and len(sigma) > 1:
            sigma = sigma[classes]
        each = torch.arange(len(w), device=w.device)
        same = (each if classes is None else classes)[:, None] == each
        sigma = sigma.clamp(max=LARGEST).expand(n, -1)
        if on_cpu(w):
            table, cancelled = expanded_forms(w, classes, sigma)
            if bool((cancelled & ~same).any()):
                table = expanded_forms(w.double(), classes, sigma.double())[0].to(w.dtype)
        else:
            table = expanded_forms(w.to(widest(w)), classes, sigma.to(widest(w)))[0].to(w.dtype)
        return table.clamp(min=0).masked_fill(same, 0)
