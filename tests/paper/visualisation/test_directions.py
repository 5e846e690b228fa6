"""Draws have the law of the augmentation, leading directions are eigenvectors, controls are as long as the moves."""

import pytest
import torch
from helpers.problems import KINDS, covariance_of

from isda_seg.paper.visualisation.directions import (
    ALONG,
    DEVIATIONS,
    DRAWN,
    RANDOM_ALONG,
    RANDOM_DRAWN,
    UNMOVED,
    draws,
    leading,
    moves,
    random_directions,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def own_covariance(kind):
    """Of one class, 5 channels."""
    return covariance_of(kind, 3, 5, seeded(1))[-1]


@pytest.mark.parametrize('kind', KINDS)
def test_draws_have_mean_0_and_covariance_strength_sigma(kind):
    sigma, count = own_covariance(kind), 40000
    drawn = draws(sigma, 0.5, count, seeded())
    wanted = 0.5 * (torch.diag(sigma) if sigma.dim() == 1 else sigma)
    deviation = wanted.diagonal().sqrt()
    assert (drawn.mean(0).abs() <= 5 * deviation / count ** 0.5).all()
    error = (drawn.t() @ drawn / count - wanted).abs()
    assert (error <= 5 * 2 ** 0.5 * deviation[:, None] * deviation / count ** 0.5).all()


@pytest.mark.parametrize('kind', KINDS)
def test_leading_directions_are_eigenvectors_of_one_standard_deviation_each(kind):
    sigma = own_covariance(kind)
    matrix = torch.diag(sigma) if sigma.dim() == 1 else sigma
    steps = leading(sigma, 0.5, 3)
    variance = torch.linalg.eigvalsh(matrix).flip(0)[:3]
    torch.testing.assert_close(steps @ matrix, variance[:, None] * steps)
    torch.testing.assert_close(steps @ steps.t(), torch.diag(0.5 * variance))
    assert (steps.gather(1, steps.abs().argmax(1, keepdim=True)) > 0).all()


def test_a_covariance_of_rank_one_draws_along_its_line():
    line = torch.tensor([[3.0, 4.0, 0.0]], dtype=torch.float64)
    drawn = draws(line.t() @ line, 2.0, 50, seeded())
    assert torch.linalg.matrix_rank(drawn, atol=1e-6) == 1
    torch.testing.assert_close(leading(line.t() @ line, 2.0, 1), 2 ** 0.5 * line)


def test_random_directions_have_their_lengths_and_no_preference():
    lengths = torch.linspace(0, 3, 20000)
    found = random_directions(lengths, 4, seeded())
    torch.testing.assert_close(found.norm(dim=1), lengths)
    unit = found[1:] / lengths[1:, None]
    assert (unit.mean(0).abs() < 5 / (4 * 20000) ** 0.5).all()


@pytest.mark.parametrize('kind', KINDS)
def test_controls_are_as_long_as_the_moves_they_stand_beside(kind):
    found = moves(own_covariance(kind), 0.5, 3, 2, seeded())
    by_kind = {}
    for move in found:
        by_kind.setdefault(move.kind, []).append(move.shift)
    by_kind = {kind: torch.stack(shifts) for kind, shifts in by_kind.items()}
    assert [len(by_kind[kind]) for kind in (UNMOVED, DRAWN, ALONG, RANDOM_DRAWN, RANDOM_ALONG)] == [1, 3, 4, 3, 2]
    assert torch.equal(by_kind[UNMOVED], torch.zeros_like(by_kind[UNMOVED]))
    assert torch.equal(by_kind[ALONG][0], -by_kind[ALONG][1])
    torch.testing.assert_close(by_kind[ALONG][::2], DEVIATIONS * leading(own_covariance(kind), 0.5, 2))
    torch.testing.assert_close(by_kind[RANDOM_DRAWN].norm(dim=1), by_kind[DRAWN].norm(dim=1))
    torch.testing.assert_close(by_kind[RANDOM_ALONG].norm(dim=1), by_kind[ALONG][::2].norm(dim=1))


def test_seeds_reproduce_moves_and_strength_0_moves_nothing():
    sigma = own_covariance('full')
    first, again, other = (torch.stack([move.shift for move in moves(sigma, 0.5, 2, 1, seeded(seed))])
                           for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert all(torch.equal(move.shift, torch.zeros(5, dtype=sigma.dtype)) for move in moves(sigma, 0, 2, 1, seeded()))


def test_more_directions_than_channels_and_negative_strengths_are_refused():
    with pytest.raises(ValueError, match='at most 5 directions exist for 5 channels, got 6'):
        leading(own_covariance('full'), 1.0, 6)
    with pytest.raises(ValueError, match='strength'):
        draws(own_covariance('full'), -1.0, 1, seeded())
