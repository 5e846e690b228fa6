"""Functions timed in turn, so that a slow moment of the machine meets all of them, and what the samples say."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

WARM_UP = 2  # rounds not counted: first allocations, and ISDA's handshake with the classifier


def alternate(functions: Mapping[str, Callable[[], Any]], rounds: int, seconds: Callable[[Callable[[], Any]], float],
              warm_up: int = WARM_UP) -> dict[str, list[float]]:
    """A B C A B C ...: the samples of each function by its name, one per round.

    Args:
        functions: what to time, in this order in every round.
        rounds: how many rounds count.
        seconds: the clock; calls a function and says how long it took.
        warm_up: rounds before those that count.

    Raises:
        ValueError: no round.
    """
    if rounds < 1:
        raise ValueError(f'at least one round is needed, got {rounds}')
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for i in range(warm_up + rounds):
        for name, function in functions.items():
            sample = seconds(function)
            if i >= warm_up:
                samples[name].append(sample)
    return samples


def spread(samples: Sequence[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = np.percentile(samples, (25, 50, 75)).tolist()
    return dict(median=median, low=low, high=high)


def differences(samples: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Round by round, how much longer than plain."""
    return [one - other for one, other in zip(samples, plain, strict=True)]


def relative(samples: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Round by round, how much longer than plain, as a share of plain."""
    return [one / other - 1 for one, other in zip(samples, plain, strict=True)]
