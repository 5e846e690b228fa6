"""How the weight of an unlabelled term grows."""
import math


def sigmoid_ramp(epoch: float, length: float) -> float:
    """``exp(-5 (1 - epoch / length)^2)`` up to ``length`` epochs, then 1: the Pi-model's ramp; length 0: always 1.

    Raises:
        ValueError: a negative epoch or length.
    """
    if epoch < 0 or length < 0:
        raise ValueError(f'epoch and length of a ramp must be at least 0, got {epoch} and {length}')
    return math.exp(-5 * (1 - epoch / length) ** 2) if epoch < length else 1.0
