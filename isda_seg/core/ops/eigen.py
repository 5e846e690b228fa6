"""Eigendecomposition of symmetric matrices, with a CPU fallback if it does not converge."""
import torch
from torch import Tensor


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
