"""Explicit semantic augmentation: cross-entropy of sampled features, whose expectation ISDA bounds (Eq. 5)."""
import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.checks import check_labels, check_pair, check_tensor
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.schedule import check_strength


def sampled_cross_entropy(features: Tensor, labels: Tensor, weight: Tensor, bias: Tensor | None, covariance: Tensor,
                          strength: float, num_samples: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Return the mean cross-entropy of ``num_samples`` samples ``a~ ~ N(a, strength * Sigma_y)`` per feature (Eq. 5).

    Args:
        features: (N, A).
        labels: (N,).
        weight: (C, A) of the classifier.
        bias: (C,) of the classifier, or None.
        covariance: (C, A) or (C, A, A), or leading dimension 1; positive semi-definite, possibly singular.
        strength: lambda.
        num_samples: M, at least 1; memory holds one sample of the features at a time.
        generator: random number generator on the features' device.

    Returns:
        the scalar mean over N and M.

    Raises:
        ValueError: shapes that do not fit, a bad strength, ``num_samples`` < 1, a label outside the classes.
    """
    check_pair(weight, covariance)
    check_tensor(labels)
    if features.dim() != 2 or features.shape[1] != weight.shape[1] or labels.shape != features.shape[:1]:
        raise ValueError(f'features (N, {weight.shape[1]}) and labels (N,) are expected, got {tuple(features.shape)} '
                         f'and {tuple(labels.shape)}')
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f'bias must have shape ({len(weight)},), got {tuple(bias.shape)}')
    if num_samples < 1:
        raise ValueError(f'num_samples must be at least 1, got {num_samples}')
    labels = check_labels(labels, len(weight), None)
    dtype = at_least_float32(features, weight, covariance)
    with full_precision(features.device.type):
        a, w = features.to(dtype), weight.to(dtype)
        b = None if bias is None else bias.to(dtype)
        root = square_root(covariance.to(dtype)) * check_strength(strength) ** 0.5
        roots = root.expand(len(w), *root.shape[1:])[labels]
        total = a.new_zeros(())
        for _ in range(num_samples):
            noise = torch.randn(a.shape, dtype=dtype, device=a.device, generator=generator)
            shift = roots * noise if roots.dim() == 2 else (roots @ noise[:, :, None])[:, :, 0]
            total = total + F.cross_entropy(F.linear(a + shift, w, b), labels)
        return total / num_samples


def square_root(covariance: Tensor) -> Tensor:
    """Return R with R R^T = covariance, from eigenvectors, because a Cholesky factor needs full rank."""
    if covariance.dim() == 2:
        return covariance.clamp(min=0).sqrt()
    values, vectors = symmetric_eigen(covariance)
    root: Tensor = vectors * values.clamp(min=0).sqrt()[:, None, :]
    return root


def symmetric_eigen(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``torch.linalg.eigh`` of matrices (..., n, n), with a CPU fallback if it does not converge.

    Non-finite input gives non-finite output instead of an error.

    Returns:
        eigenvalues (..., n) in ascending order, and eigenvectors (..., n, n) as columns.
    """
    try:
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # documented, but missing from the type stubs
        finite = matrices.isfinite().all(dim=-1).all(dim=-1)[..., None]
        values, vectors = torch.linalg.eigh(torch.where(finite[..., None], matrices, 0).cpu())
        return (torch.where(finite, values.to(matrices.device), torch.nan),
                torch.where(finite[..., None], vectors.to(matrices.device), torch.nan))
