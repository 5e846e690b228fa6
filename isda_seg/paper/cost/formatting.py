"""Seconds, bytes and shares as text."""
from isda_seg.paper.cost.timing import Quartiles

NOT_MEASURABLE = 'not measurable'


def span(seconds: Quartiles) -> str:
    """Format the median and the quartiles in one unit."""
    unit, scale = ('s', 1) if abs(seconds['median']) >= 1 else ('ms', 1000)
    return f'{seconds["median"] * scale:.3g} [{seconds["low"] * scale:.3g}, {seconds["high"] * scale:.3g}] {unit}'


def time(seconds: float) -> str:
    """Return '1.25 s' or '12.5 ms'."""
    return f'{seconds:.3g} s' if abs(seconds) >= 1 else f'{seconds * 1000:.3g} ms'


def size(count: float) -> str:
    """Return '1.5 MB' or '1.5 kB'."""
    return f'{count / 1e6:.1f} MB' if abs(count) >= 1e5 else f'{count / 1e3:.1f} kB'


def percent(share: float) -> str:
    """Return '2.0 %'."""
    return f'{100 * share:.1f} %'


def duration(share: float) -> str:
    """Return '2.0 % longer', or '2.0 % shorter' for a negative share."""
    return f'{percent(abs(share))} {"longer" if share >= 0 else "shorter"}'


def memory(tensors: float) -> str:
    """Return 'higher by 0.02 times', or 'lower by ...' for a negative number of logits tensors."""
    return f'{"higher" if tensors >= 0 else "lower"} by {abs(tensors):.2f} times'


def factor(times: float | None) -> str:
    """Return '2.0 times', or 'not measurable' for None."""
    return NOT_MEASURABLE if times is None else f'{times:.1f} times'


def power(value: float | None) -> str:
    """Return '1.50', or 'not measurable' for None."""
    return NOT_MEASURABLE if value is None else f'{value:.2f}'
