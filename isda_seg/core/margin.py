"""The C x C table: how far each class margin spreads under the augmentation (inside Eq. 7)."""
import torch
from torch import Tensor

from isda_seg.core.checks import at_least_float32, check_pair
from isda_seg.core.precision import full_precision


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
    dtype = at_least_float32(weight, covariance)
    with full_precision(weight.device.type):
        # Only differences of rows matter; without their common offset nothing large cancels in float32.
        w = weight.to(dtype)
        w = w - w.mean(dim=0)
        sigma = covariance.to(dtype)
        if sigma.dim() == 3:
            difference = w[None] - w[:, None]  # (C, C, A): [y, c]
            table = ((difference @ sigma) * difference).sum(dim=2)
        else:
            sigma = sigma.expand(len(w), -1)
            own = (sigma * w.square()).sum(dim=1)
            table = sigma @ w.square().t() - 2 * (sigma * w) @ w.t() + own[:, None]
        same = torch.eye(len(w), dtype=torch.bool, device=w.device)
        return table.clamp(min=0).masked_fill(same, 0)
