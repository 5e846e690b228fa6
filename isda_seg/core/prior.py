"""The class prior and logit adjustment (Menon et al., ICLR 2021, arXiv:2007.07314)."""
from torch import Tensor

from isda_seg.core.ops.precision import at_least_float32


def log_prior(count: Tensor) -> Tensor:
    """Return the log class frequencies ``log(n_c / n)``, (C,) float32; a class without samples counts as one sample."""
    counted = count.clamp(min=1).float()
    return (counted / counted.sum()).log()


def adjust_logits(logits: Tensor, adjustment: Tensor | None) -> Tensor:
    """Return logits (N, C, ...), at least float32, with ``tau * log prior`` added for training (Menon et al., Eq. 10).

    ``adjustment`` (C,) is ``tau * log_prior(count)``; None returns the logits themselves. ``-tau * log_prior(count)``
    adjusts the logits of a trained model at test time (Eq. 9).
    """
    if adjustment is None:
        return logits
    dtype = at_least_float32(logits, adjustment)
    return logits.to(dtype) + adjustment.to(dtype).view(-1, *[1] * (logits.dim() - 2))
