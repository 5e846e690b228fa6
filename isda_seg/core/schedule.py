"""Schedule of the augmentation strength."""
import math


def check_strength(strength: float, name: str = 'strength') -> float:
    """Return ``strength`` as a float; ValueError unless it is finite and not negative."""
    try:
        value = math.nan if isinstance(strength, str) else float(strength)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ValueError(f'{name} must be a finite number >= 0, got {strength!r}')
    return value


def linear_ramp(step: int, total: int, final: float) -> float:
    """Return the strength at a step, ``step / total * final`` (lambda = t/T lambda_0, below Eq. 4).

    Args:
        step: training step, counted from 1. Step 0 gives 0; steps beyond ``total`` give ``final``.
        total: number of training steps.
        final: strength at the last step (lambda_0).

    Raises:
        ValueError: ``total`` <= 0, ``step`` < 0, or ``final`` negative or not finite.
    """
    if total <= 0:
        raise ValueError(f'total must be positive, got {total}')
    if step < 0:
        raise ValueError(f'step must not be negative, got {step}')
    return min(step / total, 1.0) * check_strength(final, 'final')
