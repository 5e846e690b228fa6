"""Compensated sum: a float32 value together with the part that its rounding has lost."""
import torch
from torch import Tensor

from isda_seg.core.ops.device import widest


def add_compensated(value: Tensor, rest: Tensor, increment: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``value + rest + increment`` as a rounded value and its rounding error (Knuth's two-sum).

    The pair has about 48 bits, so increments below the resolution of ``value`` accumulate in ``rest``. Only float32 is
    needed, for accelerators without float64.

    Args:
        value: float32.
        rest: float32, what rounding has removed from ``value``.
        increment: float32 or float64.

    Returns:
        the new value and rest, float32. ``split`` recovers both from their sum in float64.
    """
    value, addend = value.to(increment.dtype), rest + increment
    total = value + addend
    back = total - value
    error = (value - (total - back)) + (addend - back)
    rounded = total.float()
    error = (total - rounded + error).float()
    grid = rounded * 2 ** -24
    error = (error + grid) - grid  # drops bits that a float64 sum could not hold
    value = rounded + error
    return value, error - (value - rounded)


def join(value: Tensor, rest: Tensor) -> Tensor:
    """Return the sum of a pair in float64, on the CPU if the device lacks float64."""
    if widest(value) != torch.float64:
        value, rest = value.cpu(), rest.cpu()
    return value.double() + rest.double()


def split(total: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pair whose sum is ``total``, float64 or float32."""
    value = total.float()
    return value, (total - value).float()
