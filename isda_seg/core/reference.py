"""Eqs. 1-7 and 15 of arXiv:2007.10538v5 as printed, for reading. The package uses faster equivalents.

Shapes: N samples, C classes, A feature channels. Covariances are full matrices (C, A, A).
"""
import torch
import torch.nn.functional as F
from torch import Tensor


def update_statistics(count: Tensor, mean: Tensor, covariance: Tensor, features: Tensor,
                      labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Fold a batch (N, A) with labels (N,) into count (C,), mean (C, A) and covariance of each class (Eqs. 1-3)."""
    count, mean, covariance = count.clone(), mean.clone(), covariance.clone()
    for j in torch.unique(labels):
        batch = features[labels == j]
        n, m = count[j], len(batch)
        batch_mean = batch.mean(dim=0)
        batch_covariance = (batch - batch_mean).T @ (batch - batch_mean) / m
        shift = mean[j] - batch_mean
        covariance[j] = ((n * covariance[j] + m * batch_covariance) / (n + m)
                         + n * m * torch.outer(shift, shift) / (n + m) ** 2)        # Eq. 2
        mean[j] = (n * mean[j] + m * batch_mean) / (n + m)                          # Eq. 1
        count[j] = n + m                                                            # Eq. 3
    return count, mean, covariance


def augment_features(features: Tensor, labels: Tensor, covariance: Tensor, strength: float,
                     generator: torch.Generator | None = None) -> Tensor:
    """Sample ``a~_i ~ N(a_i, strength * Sigma_{y_i})`` once for each feature (Eq. 4)."""
    eigenvalues, eigenvectors = torch.linalg.eigh(covariance)
    root = eigenvectors * (strength * eigenvalues.clamp(min=0)).sqrt()[:, None, :]
    noise = torch.randn(features.shape, dtype=features.dtype, generator=generator)
    return features + torch.stack([root[y] @ noise[i] for i, y in enumerate(labels)])


def sampled_cross_entropy(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor, covariance: Tensor,
                          strength: float, num_samples: int, generator: torch.Generator | None = None) -> Tensor:
    """Average the cross-entropy over ``num_samples`` augmentations (Eq. 5); its limit for infinitely many is Eq. 6."""
    augmented = [augment_features(features, labels, covariance, strength, generator) for _ in range(num_samples)]
    return torch.stack([F.cross_entropy(each @ weight.T + bias, labels) for each in augmented]).mean()


def margin_variance(weight: Tensor, covariance: Tensor) -> Tensor:
    """Return the margin table ``T[y, c] = (w_c - w_y)^T Sigma_y (w_c - w_y)`` inside Eq. 7, (C, C)."""
    rows = [torch.stack([d @ sigma @ d for d in weight - w]) for w, sigma in zip(weight, covariance, strict=True)]
    return torch.stack(rows)


def isda_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float) -> Tensor:
    """Return the ISDA loss, a closed-form upper bound of Eq. 6 (Eq. 7, Proposition 1)."""
    augmented = logits + strength / 2 * margin_variance(weight, covariance)[labels]
    return F.cross_entropy(augmented, labels)


def isda_consistency(logits: Tensor, weight: Tensor, covariance: Tensor, strength: float, targets: Tensor) -> Tensor:
    """Return the ISDA loss of unlabelled data with predicted probabilities ``targets`` (Eq. 15, Proposition 2)."""
    of_pseudo_class = covariance[targets.argmax(dim=1)][:, None].expand(-1, len(weight), -1, -1)
    tables = torch.stack([margin_variance(weight, sigma) for sigma in of_pseudo_class])
    bounds = (logits[:, None] + strength / 2 * tables).logsumexp(dim=2) - logits
    return (targets * bounds).sum(dim=1).mean()
