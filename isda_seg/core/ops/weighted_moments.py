"""Class moments of samples with class probabilities."""
from torch import Tensor

from isda_seg.core.ops.checks import at_least_float32
from isda_seg.core.ops.device import on_cpu, widest


def positive(count: Tensor) -> Tensor:
    """Return the counts as a divisor: 1 where a count is 0."""
    return count.masked_fill(count == 0, 1)


def weighted_moments(features: Tensor, targets: Tensor, covariance: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return moments of float64 sums in which sample i counts ``p_iy`` for class y, as one-hot labels do.

    Features are (N, A, ...), and the probabilities ``targets`` (N, C, ...). For a shared covariance, each sample has
    the weight of the sum of its row. Returns also the number of samples dropped as non-finite.
    """
    wide, dtype = widest(features), at_least_float32(features)
    p, x = (tensor.to(wide).movedim(1, -1).flatten(0, -2) for tensor in (targets, features))
    bad = ~x.sum(dim=1, keepdim=True).isfinite()
    dropped, p, x = (bad & p.ne(0)).any(dim=1).sum(), p.masked_fill(bad, 0), x.masked_fill(bad, 0)
    centre = x.sum(dim=0) / max(1, len(x))
    x, count = x - centre, p.sum(dim=0)
    share = p / positive(count)
    mean = share.t() @ x
    if covariance == 'identity':
        sigma = x.new_ones(1, x.shape[1])
    elif covariance == 'diagonal':
        sigma = (share.t() @ x.square() - mean.square()).clamp_(min=0)
    else:
        shares = share if covariance == 'full' else p.sum(dim=1, keepdim=True) / positive(count.sum())
        sigma = x.new_zeros(shares.shape[1], x.shape[1], x.shape[1], dtype=dtype)
        for matrix, column in zip(sigma, shares.t(), strict=True):
            rows = column.nonzero().flatten() if on_cpu(x) else slice(None)
            centred = x[rows] - column[rows] @ x[rows]
            matrix.copy_((centred * column[rows, None]).t() @ centred)
    mean = (centre + mean).masked_fill(count[:, None] == 0, 0)
    return count, mean.to(dtype), sigma.to(dtype), dropped
