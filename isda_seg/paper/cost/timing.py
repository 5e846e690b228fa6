"""Alternating timing of several functions, so that a slow phase of the machine affects all of them equally."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

WARM_UP = 2  # untimed rounds, for first allocations and the verification of the classifier


def alternate(functions: Mapping[str, Callable[[], Any]], rounds: int, seconds: Callable[[Callable[[], Any]], float],
              warm_up: int = WARM_UP) -> dict[str, list[float]]:
    """Time the functions in alternation (A B C A B C ...); return one sample per round, by name.

    Args:
        functions: functions to time, in this order in every round.
        rounds: number of timed rounds.
        seconds: calls a function and returns its duration.
        warm_up: number of untimed rounds before.

    Raises:
        ValueError: ``rounds`` is below 1.
    """
    if rounds < 1:
        raise ValueError(f'rounds must be at least 1, got {rounds}')
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for i in range(warm_up + rounds):
        for name, function in functions.items():
            sample = seconds(function)
            if i >= warm_up:
                samples[name].append(sample)
    return samples


def spread(samples: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    low, median, high = np.percentile(samples, (25, 50, 75)).tolist()
    return dict(median=median, low=low, high=high)


def differences(samples: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Return the extra time over ``plain`` in each round."""
    return [one - other for one, other in zip(samples, plain, strict=True)]


def relative(samples: Sequence[float], plain: Sequence[float]) -> list[float]:
    """Return the extra time over ``plain`` in each round, as a fraction of ``plain``."""
    return [one / other - 1 for one, other in zip(samples, plain, strict=True)]
