"""Explicit copies of a feature, as ISDA augments it."""
import torch
from torch import Tensor

from isda_seg.core.schedule import check_strength


def augment(features: Tensor, covariance: Tensor, strength: float, count: int, seed: int = 0) -> Tensor:
    """``count`` draws of ``N(a, strength * Sigma_y)`` for each of N features of one class: (N, count, A).

    Args:
        features: a (N, A).
        covariance: Sigma_y, (A,) diagonal or (A, A); any positive semi-definite one, singular included.
        strength: lambda.
        seed: of the draws.

    Raises:
        ValueError: a bad strength, a covariance of other channels, no draws.
    """
    count_and_channels = len(features), count, features.shape[1]
    if count < 1 or covariance.shape not in ((features.shape[1],), (features.shape[1],) * 2):
        raise ValueError(f'at least one draw and a covariance of {features.shape[1]} channels expected, got {count} '
                         f'and {tuple(covariance.shape)}')
    noise = torch.randn(count_and_channels, dtype=features.dtype, generator=torch.Generator().manual_seed(seed))
    if covariance.dim() == 1:
        moved = noise * covariance.clamp(min=0).sqrt()
    else:
        values, vectors = torch.linalg.eigh(covariance)
        moved = (noise * values.clamp(min=0).sqrt()) @ vectors.t()
    return features[:, None] + check_strength(strength) ** 0.5 * moved
