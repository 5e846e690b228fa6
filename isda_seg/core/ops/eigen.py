"""Eigenvalues of symmetric matrices, also where a device's solver gives up."""
import torch
from torch import Tensor


def symmetric_eigen(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """``torch.linalg.eigh``, of matrices (..., n, n), that ends no run.

    A GPU's solver may not converge where a host's does, which then takes over. Of a matrix that is not finite, as those
    of a run that diverges are, come numbers that are not either.

    Returns:
        (..., n), the smallest first, and (..., n, n), in columns.
    """
    try:
        values, vectors = torch.linalg.eigh(matrices)
        return values, vectors
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # documented, and not exported
        finite = matrices.isfinite().all(dim=-1).all(dim=-1)[..., None]
        values, vectors = torch.linalg.eigh(torch.where(finite[..., None], matrices, 0).cpu())
        return (torch.where(finite, values.to(matrices.device), torch.nan),
                torch.where(finite[..., None], vectors.to(matrices.device), torch.nan))
