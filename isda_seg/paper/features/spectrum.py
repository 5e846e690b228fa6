"""Eigenvalue spectra and effective ranks of covariances."""
import torch
from torch import Tensor


def spectrum(covariance: Tensor) -> Tensor:
    """Return the eigenvalues of each covariance in descending order.

    The covariances are (C, A), diagonals whose eigenvalues are the variances, or (C, A, A).

    Returns:
        (C, A) float64, none negative.
    """
    covariance = covariance.double()
    values = covariance if covariance.dim() == 2 else torch.linalg.eigvalsh(covariance)
    return values.sort(dim=1, descending=True).values.clamp(min=0)


def cumulative_share(eigenvalues: Tensor) -> Tensor:
    """Return the cumulative share of variance (C, A) in [0, 1]; NaN for a class without variance."""
    return eigenvalues.cumsum(dim=1) / eigenvalues.sum(dim=1, keepdim=True)


def effective_rank(eigenvalues: Tensor) -> Tensor:
    """Return the effective rank (C,) of eigenvalues (C, A) (Roy and Vetterli, EUSIPCO 2007).

    ``exp(-sum_i p_i log p_i)`` with the normalised eigenvalues p: A for equal eigenvalues, 1 for a single nonzero
    eigenvalue, 0 for a class without variance.
    """
    shares = eigenvalues / eigenvalues.sum(dim=1, keepdim=True)
    return torch.special.entr(shares).sum(dim=1).exp().nan_to_num(0)
