"""Class moments of samples with class probabilities: sums in float64, weighted by the probabilities."""
import torch
from torch import Tensor

from isda_seg.core.ops.checks import at_least_float32
from isda_seg.core.ops.device import on_cpu, widest


def positive(count: Tensor) -> Tensor:
    """Return the counts as a divisor: 1 where a count is 0."""
    return count.masked_fill(count == 0, 1)


def weighted_moments(features: Tensor, targets: Tensor, covariance: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return count, mean and covariance of every class, where a sample counts with the probability of the class.

    ``n_y = sum_i p_iy``, ``mu_y = sum_i p_iy a_i / n_y`` and the covariance is the mean of the outer products of
    ``a_i - mu_y`` with the same weights. One-hot probabilities give the moments of labels.

    Args:
        features: (N, A); samples with a non-finite entry do not count.
        targets: (N, C) probabilities; a row of zeros does not count.
        covariance: 'diagonal', 'full', 'shared' (each sample weighted by the sum of its row) or 'identity'.

    Returns:
        count (C,) float64, mean and covariance as in ``ClassMoments``, and the number of samples with a non-finite
        feature that would have counted.
    """
    wide, dtype = widest(features), at_least_float32(features)
    bad = ~features.sum(dim=1, dtype=dtype).isfinite()
    dropped = (bad & targets.ne(0).any(dim=1)).sum()
    p = targets.to(wide).masked_fill(bad[:, None], 0)
    x = features.masked_fill(bad[:, None], 0).to(wide)
    centre = x.sum(dim=0) / max(1, len(x))  # a common centre limits the cancellation in the squares
    x, count = x - centre, p.sum(dim=0)
    share = p / positive(count)
    mean = share.t() @ x
    if covariance == 'identity':
        found = x.new_ones(1, x.shape[1])
    elif covariance == 'diagonal':
        found = (share.t() @ x.square() - mean.square()).clamp_(min=0)
    else:
        shares = share if covariance == 'full' else (p.sum(dim=1) / positive(count.sum()))[:, None]
        found = torch.stack([_matrix(x, own).to(dtype) for own in shares.t()])
    return count, (centre + mean).masked_fill((count == 0)[:, None], 0).to(dtype), found.to(dtype), dropped


def _matrix(x: Tensor, share: Tensor) -> Tensor:
    """Return the covariance (A, A) of samples (N, A) with weights (N,) that sum to 1, or 0 for weights of 0."""
    if on_cpu(x):
        rows = share.nonzero().flatten()
        x, share = x[rows], share[rows]
    centred = x - share @ x
    return (centred * share[:, None]).t() @ centred
