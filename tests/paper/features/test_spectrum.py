"""Eigenvalue spectra and effective ranks."""

import torch

from isda_seg.paper.features.spectrum import cumulative_share, effective_rank, spectrum

A = 6


def test_diagonal_spectrum_equals_the_spectrum_of_diagonal_matrices():
    variances = torch.rand(3, A)
    expected = torch.tensor([sorted(row, reverse=True) for row in variances.double().tolist()], dtype=torch.float64)
    assert torch.equal(spectrum(variances), expected)
    torch.testing.assert_close(spectrum(torch.diag_embed(variances)), expected)


def test_spectrum_is_invariant_to_rotation():
    rotation = torch.linalg.qr(torch.randn(A, A, dtype=torch.float64)).Q
    variances = torch.arange(A, 0, -1, dtype=torch.float64)
    torch.testing.assert_close(spectrum((rotation * variances @ rotation.T)[None]), variances[None])


def test_effective_rank_counts_equal_variances():
    direction = torch.randn(A, dtype=torch.float64)
    matrices = torch.stack([torch.eye(A, dtype=torch.float64), torch.outer(direction, direction),
                            torch.diag(torch.tensor([2.0, 2, 2, 0, 0, 0], dtype=torch.float64)),
                            torch.zeros(A, A, dtype=torch.float64)])
    expected = torch.tensor([A, 1, 3, 0], dtype=torch.float64)
    torch.testing.assert_close(effective_rank(spectrum(matrices)), expected, rtol=1e-6, atol=1e-9)


def test_cumulative_shares_end_at_1():
    assert torch.equal(cumulative_share(torch.tensor([[4.0, 3, 1]])), torch.tensor([[0.5, 0.875, 1]]))
