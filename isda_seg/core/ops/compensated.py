"""Compensated sum: a float32 value together with the part that its rounding has lost."""
from torch import Tensor


def add_compensated(value: Tensor, rest: Tensor, increment: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``value + rest + increment`` as a rounded value and its rounding error (Knuth's two-sum).

    The pair has about 48 bits, so increments below the resolution of ``value`` accumulate in ``rest``. Only float32 is
    needed, for accelerators without float64.

    Args:
        value: float32.
        rest: float32, what rounding has removed from ``value``.
        increment: float32 or float64.

    Returns:
        the new value and rest, float32.
    """
    value, addend = value.to(increment.dtype), rest + increment
    total = value + addend
    back = total - value
    error = (value - (total - back)) + (addend - back)
    rounded = total.float()
    return rounded, (total - rounded + error).float()
