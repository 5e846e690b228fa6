"""Class moments of samples with class probabilities."""
from torch import Tensor

from isda_seg.core.ops.device import on_cpu, widest
from isda_seg.core.ops.precision import at_least_float32


def positive(count: Tensor) -> Tensor:
    """Return the counts as a divisor: 1 where a count is 0."""
    return count.masked_fill(count == 0, 1)


def weighted_moments(features: Tensor, targets: Tensor, kind: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return moments of float64 sums in which sample i counts ``p_iy`` for class y, as one-hot labels do.

    Features are (N, A, ...), probabilities ``targets`` (N, C, ...). A sample with a non-finite entry or a row of zeros
    does not count; the shared covariance weights each sample by the sum of its row.

    Returns:
        count (C,) float64, mean and covariance as in ``ClassMoments``; the number of samples dropped as non-finite.
    """
    wide, dtype = widest(features), at_least_float32(features)
    p, x = (tensor.to(wide).movedim(1, -1).flatten(0, -2) for tensor in (targets, features))
    bad = ~x.sum(dim=1, keepdim=True).isfinite()
    dropped, p, x = (bad & p.ne(0)).any(dim=1).sum(), p.masked_fill(bad, 0), x.masked_fill(bad, 0)
    centre = x.sum(dim=0) / max(1, len(x))
    x, count = x - centre, p.sum(dim=0)
    share = p / positive(count)
    mean = share.t() @ x
    if kind == 'identity':
        covariance = x.new_ones(1, x.shape[1])
    elif kind == 'diagonal':
        covariance = (share.t() @ x.square() - mean.square()).clamp_(min=0)
    else:
        shares = share if kind == 'full' else p.sum(dim=1, keepdim=True) / positive(count.sum())
        covariance = x.new_zeros(shares.shape[1], x.shape[1], x.shape[1], dtype=dtype)
        for matrix, column in zip(covariance, shares.t(), strict=True):
            rows = column.nonzero().flatten() if on_cpu(x) else slice(None)
            centred = x[rows] - column[rows] @ x[rows]
            matrix.copy_((centred * column[rows, None]).t() @ centred)
    mean = (centre + mean).masked_fill(count[:, None] == 0, 0)
    return count, mean.to(dtype), covariance.to(dtype), dropped
