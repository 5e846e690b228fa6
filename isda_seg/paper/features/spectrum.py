"""Eigenvalue spectra and effective ranks of covariances."""
import torch
from torch import Tensor


def spectrum(covariance: Tensor) -> Tensor:
    """Return the eigenvalues of each covariance in descending order.

    Args:
        covariance: (C, A) diagonals, whose eigenvalues are the variances, or (C, A, A).

    Returns:
        (C, A) float64, none negative.
    """
    covariance = covariance.double()
    values = covariance if covariance.dim() == 2 else torch.linalg.eigvalsh(covariance)
    return values.sort(dim=1, descending=True).values.clamp(min=0)


def cumulative_share(eigenvalues: Tensor) -> Tensor:
    """Return the cumulative share of variance (C, A), 0..1; NaN for a class without variance."""
    return eigenvalues.cumsum(dim=1) / eigenvalues.sum(dim=1, keepdim=True)


def effective_rank(eigenvalues: Tensor) -> Tensor:
    """``exp(-sum_i p_i log p_i)`` of the shares p of the eigenvalues (C, A): (C,), 1..A.

    A for equal ones, 1 for a single one, 0 for a class without variance (Roy and Vetterli, EUSIPCO 2007).
    """
    shares = eigenvalues / eigenvalues.sum(dim=1, keepdim=True)
    return torch.special.entr(shares).sum(dim=1).exp().nan_to_num(0)
