"""The C x C table: how far each class margin spreads under the augmentation (inside Eq. 7)."""
import torch
from torch import Tensor

from isda_seg.core.checks import at_least_float32, check_pair
from isda_seg.core.precision import full_precision
from isda_seg.core.quadratic import quadratic_form


def margin_variance(weight: Tensor, covariance: Tensor) -> Tensor:
    """``T[y, c] = (w_c - w_y)^T Sigma_y (w_c - w_y)``, the variance of ``(w_c - w_y)^T a~`` per unit of strength.

    Args:
        weight: (C, A) rows of the classifier; gradients flow into it.
        covariance: (C, A) diagonals or (C, A, A) matrices, or leading dimension 1 where all classes share it.

    Returns:
        (C, C), row = true class; the diagonal is exactly 0 and no entry is negative. At least float32.

    Raises:
        ValueError: shapes that do not belong together.
    """
    check_pair(weight, covariance)
    return _rows(weight, covariance, torch.arange(len(weight), device=weight.device))


def label_margin_variance(weight: Tensor, covariance: Tensor, labels: Tensor) -> Tensor:
    """``margin_variance(weight, covariance)[labels]``, without rows that no label asks for.

    Args:
        labels: (N,) int64, each in 0..C-1.

    Returns:
        (N, C).
    """
    check_pair(weight, covariance)
    if covariance.dim() == 3:  # a row costs C A^2: each class once
        classes, position = torch.unique(labels, return_inverse=True)
        return _rows(weight, covariance, classes).index_select(0, position)
    if len(labels) < len(weight):
        return _rows(weight, covariance, labels)
    return margin_variance(weight, covariance).index_select(0, labels)


def _rows(weight: Tensor, covariance: Tensor, classes: Tensor) -> Tensor:
    """The table's rows of some true classes (n,): (n, C)."""
    dtype = at_least_float32(weight, covariance)
    with full_precision(weight.device.type):
        # Only differences of rows matter; without their common offset nothing large cancels in float32.
        w = weight.to(dtype)
        w = w - w.mean(dim=0)
        own = w[classes]
        sigma = covariance.to(dtype)
        sigma = sigma.expand(len(classes), *sigma.shape[1:]) if len(sigma) == 1 else sigma[classes]
        if sigma.dim() == 3:
            table = quadratic_form(w[None] - own[:, None], sigma)
        else:
            spread = (sigma * own.square()).sum(dim=1)
            table = sigma @ w.square().t() - 2 * (sigma * own) @ w.t() + spread[:, None]
        same = classes[:, None] == torch.arange(len(w), device=w.device)
        return table.clamp(min=0).masked_fill(same, 0)
