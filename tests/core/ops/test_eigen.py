"""Eigendecomposition falls back to the CPU, and gives NaN instead of an error for non-finite input."""
import torch
from torch.testing import assert_close

from isda_seg.core.logit_sampling import logit_roots
from isda_seg.core.ops.eigen import symmetric_eigen


def matrices():
    x = torch.randn(3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return x @ x.mT


def test_a_failed_eigensolver_falls_back_to_the_cpu(monkeypatch):
    solver, asked = torch.linalg.eigh, []

    def gives_up_once(matrix):
        asked.append(matrix.device)
        if len(asked) == 1:
            raise torch.linalg.LinAlgError('the algorithm failed to converge')
        return solver(matrix)

    expected = solver(matrices())
    monkeypatch.setattr(torch.linalg, 'eigh', gives_up_once)
    assert_close(symmetric_eigen(matrices()), tuple(expected))
    assert len(asked) == 2


def test_only_non_finite_matrices_give_nan():
    broken = matrices()
    broken[1] = torch.nan
    values, vectors = symmetric_eigen(broken)
    expected = torch.linalg.eigh(matrices())
    for own, other in zip((values, vectors), expected, strict=True):
        assert own[1].isnan().all()
        assert_close(own[[0, 2]], other[[0, 2]])


def test_a_nan_weight_gives_nan_noise_instead_of_an_error():
    roots = logit_roots(torch.full((3, 5), torch.nan), torch.eye(5).expand(2, 5, 5))
    assert_close(roots, torch.full((2, 3, 3), torch.nan), equal_nan=True)
