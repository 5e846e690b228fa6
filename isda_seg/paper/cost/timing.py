"""Alternating timing of several functions, so that a slow phase of the machine affects all of them equally."""
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import numpy as np

WARM_UP = 2  # untimed rounds, for first allocations and the verification of the classifier


class Quartiles(TypedDict):
    """Median and quartiles of a measure over the rounds, as in result files."""
    median: float
    low: float
    high: float


def alternate(functions: Mapping[str, Callable[[], object]], rounds: int,
              seconds: Callable[[Callable[[], object]], float], warm_up: int = WARM_UP) -> dict[str, list[float]]:
    """Time the functions in alternation (A B C A B C ...); return one sample per round, by name.

    ``seconds`` calls a function and returns its duration. The first ``warm_up`` rounds do not count.

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


def quartiles(samples: Sequence[float]) -> Quartiles:
    """Return the median and the quartiles."""
    low, median, high = np.percentile(samples, (25, 50, 75)).tolist()
    return Quartiles(median=median, low=low, high=high)


def differences(samples: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Return the extra time over the baseline in each round."""
    return [a - b for a, b in zip(samples, baseline, strict=True)]


def relative(samples: Sequence[float], baseline: Sequence[float]) -> list[float]:
    """Return the extra time over the baseline in each round, as a fraction of the baseline."""
    return [a / b - 1 for a, b in zip(samples, baseline, strict=True)]
