"""Tightness of the bound: cross-entropy, its Monte Carlo expectation under augmentation, and Eq. 7 (Fig. 9)."""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core import isda_consistency, isda_cross_entropy
from isda_seg.core.logit_sampling import LogitNoise
from isda_seg.core.ops.device import widest

NUM_SAMPLES = 1000  # per logit vector, as in the paper
CHUNK = 1 << 23     # logits sampled at once
SIGNIFICANT = 3     # standard errors that make a difference significant


class Tightness(NamedTuple):
    """Cross-entropy, its expectation under augmentation and the bound, in nats and double precision."""
    cross_entropy: Tensor  # (N,)
    expected: Tensor       # (N,), mean over samples
    error: Tensor          # (N,), standard error of ``expected``
    bound: Tensor          # (N,)


@torch.no_grad()
def tightness(logits: Tensor, labels: Tensor | None, weight: Tensor, covariance: Tensor, strength: float, *,
              num_samples: int = NUM_SAMPLES, generator: torch.Generator | None = None) -> Tightness:
    """Return cross-entropy, its mean over samples ``z~ ~ N(z, strength W Sigma_y W^T)`` (Eq. 6) and the bound (Eq. 7).

    This is the distribution of the logits of ``a~ ~ N(a, strength Sigma_y)``, sampled in C dimensions instead of A.
    Samples are antithetic pairs ``z + e`` and ``z - e``; the standard error is that of the independent pair means.

    Unlabelled samples use weights ``p = softmax(z)`` and the covariance of ``argmax p`` (Eqs. 14, 15).

    Args:
        logits: (N, C).
        labels: (N,), or None for unlabelled samples.
        weight: (C, A), weight of the classifier.
        covariance: (C, A) or (C, A, A), or leading dimension 1.
        strength: lambda.
        num_samples: M per logit vector, an even number of at least 4.
        generator: on the device of the weight.

    Raises:
        ValueError: inconsistent shapes, an invalid strength, label or number of samples.
    """
    check_num_samples(num_samples)
    z, weight, covariance = (part.to(widest(part)) for part in (logits, weight, covariance))
    if labels is None:
        targets = z.softmax(dim=1)
        bound = isda_consistency(z, weight, covariance, strength, targets=targets, reduction='none')
    else:
        bound = isda_cross_entropy(z, labels, weight, covariance, strength, ignore_index=None, reduction='none')
        targets = F.one_hot(labels.long(), z.shape[1]).to(z.dtype)
    noise = LogitNoise(targets.argmax(dim=1), weight, covariance, strength)
    pairs, at_once = num_samples // 2, max(1, CHUNK // max(1, 2 * z.numel()))
    entropy = _cross_entropy(z, targets)
    total, squares = torch.zeros_like(entropy), torch.zeros_like(entropy)
    for first in range(0, pairs, at_once):
        e = noise.sample(min(at_once, pairs - first), generator)
        gap = (_cross_entropy(z + e, targets) + _cross_entropy(z - e, targets)) / 2 - entropy  # of each pair
        total, squares = total + gap.sum(dim=0), squares + gap.square().sum(dim=0)
    mean = total / pairs
    error = ((squares / pairs - mean.square()).clamp(min=0) / (pairs - 1)).sqrt()
    return Tightness(entropy, entropy + mean, error, bound)


def check_num_samples(num_samples: int) -> None:
    """Raise ValueError unless ``num_samples`` gives at least two antithetic pairs."""
    if num_samples < 4 or num_samples % 2:
        raise ValueError(f'the number of Monte Carlo samples must be an even number of at least 4, got {num_samples}')


def summary(found: Tightness) -> dict[str, float | int | None]:
    """Return means over samples, the standard error of the mean expectation, and ``gap_ratio``.

    ``gap_ratio`` is (bound - cross-entropy) / (expectation - cross-entropy), 1 if the bound is exact. It is None if the
    expectation exceeds the cross-entropy by at most three standard errors.
    """
    entropy, expected, bound = (float(part.mean()) for part in (found.cross_entropy, found.expected, found.bound))
    error = float(found.error.square().sum().sqrt()) / len(found.error)
    ratio = (bound - entropy) / (expected - entropy) if expected - entropy > SIGNIFICANT * error else None
    return dict(logit_vectors=len(found.bound), cross_entropy=entropy, expected=expected, standard_error=error,
                bound=bound, gap_ratio=ratio)


def _cross_entropy(z: Tensor, targets: Tensor) -> Tensor:
    """Return ``sum_k p_k (log sum_j exp z_j - z_k)`` for logits (..., N, C) and targets (N, C): (..., N)."""
    return z.logsumexp(dim=-1) - (targets * z).sum(dim=-1)
