"""Distribution of the augmentation, leading directions, and random directions of equal length."""

import pytest
import torch
from helpers.problems import KINDS, covariance_of

from isda_seg.paper.visualisation.directions import (
    DEVIATIONS,
    LEADING,
    RANDOM_LEADING,
    RANDOM_SAMPLED,
    SAMPLED,
    UNCHANGED,
    leading_directions,
    random_directions,
    sample_augmentation,
    translations,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def own_covariance(kind):
    """Of one class, 5 channels."""
    return covariance_of(kind, 3, 5, seeded(1))[-1]


@pytest.mark.parametrize('kind', KINDS)
def test_samples_have_mean_0_and_covariance_strength_times_sigma(kind):
    sigma, count = own_covariance(kind), 40000
    samples = sample_augmentation(sigma, 0.5, count, seeded())
    options = 0.5 * (torch.diag(sigma) if sigma.dim() == 1 else sigma)
    deviation = options.diagonal().sqrt()
    assert (samples.mean(0).abs() <= 5 * deviation / count ** 0.5).all()
    error = (samples.t() @ samples / count - options).abs()
    assert (error <= 5 * 2 ** 0.5 * deviation[:, None] * deviation / count ** 0.5).all()


@pytest.mark.parametrize('kind', KINDS)
def test_leading_directions_are_scaled_eigenvectors(kind):
    sigma = own_covariance(kind)
    matrix = torch.diag(sigma) if sigma.dim() == 1 else sigma
    steps = leading_directions(sigma, 0.5, 3)
    variance = torch.linalg.eigvalsh(matrix).flip(0)[:3]
    torch.testing.assert_close(steps @ matrix, variance[:, None] * steps)
    torch.testing.assert_close(steps @ steps.t(), torch.diag(0.5 * variance))
    assert (steps.gather(1, steps.abs().argmax(1, keepdim=True)) > 0).all()


def test_samples_of_a_rank_1_covariance_lie_on_a_line():
    line = torch.tensor([[3.0, 4.0, 0.0]], dtype=torch.float64)
    samples = sample_augmentation(line.t() @ line, 2.0, 50, seeded())
    assert torch.linalg.matrix_rank(samples, atol=1e-6) == 1
    torch.testing.assert_close(leading_directions(line.t() @ line, 2.0, 1), 2 ** 0.5 * line)


def test_random_directions_have_given_lengths_and_mean_0():
    lengths = torch.linspace(0, 3, 20000)
    found = random_directions(lengths, 4, seeded())
    torch.testing.assert_close(found.norm(dim=1), lengths)
    unit = found[1:] / lengths[1:, None]
    assert (unit.mean(0).abs() < 5 / (4 * 20000) ** 0.5).all()


@pytest.mark.parametrize('kind', KINDS)
def test_controls_have_the_lengths_of_their_translations(kind):
    found = translations(own_covariance(kind), 0.5, 3, 2, seeded())
    by_kind = {}
    for translation in found:
        by_kind.setdefault(translation.kind, []).append(translation.shift)
    by_kind = {kind: torch.stack(shifts) for kind, shifts in by_kind.items()}
    kinds = UNCHANGED, SAMPLED, LEADING, RANDOM_SAMPLED, RANDOM_LEADING
    assert [len(by_kind[kind]) for kind in kinds] == [1, 3, 4, 3, 2]
    assert torch.equal(by_kind[UNCHANGED], torch.zeros_like(by_kind[UNCHANGED]))
    assert torch.equal(by_kind[LEADING][0], -by_kind[LEADING][1])
    torch.testing.assert_close(by_kind[LEADING][::2], DEVIATIONS * leading_directions(own_covariance(kind), 0.5, 2))
    torch.testing.assert_close(by_kind[RANDOM_SAMPLED].norm(dim=1), by_kind[SAMPLED].norm(dim=1))
    torch.testing.assert_close(by_kind[RANDOM_LEADING].norm(dim=1), by_kind[LEADING][::2].norm(dim=1))


def test_translations_are_reproducible_and_0_at_strength_0():
    sigma = own_covariance('full')
    first, again, other = (torch.stack([shift for *_, shift in translations(sigma, 0.5, 2, 1, seeded(seed))])
                           for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    unmoved = translations(sigma, 0, 2, 1, seeded())
    assert all(torch.equal(shift, torch.zeros(5, dtype=sigma.dtype)) for *_, shift in unmoved)


def test_invalid_counts_and_strengths_are_rejected():
    with pytest.raises(ValueError, match='at most 5 directions exist for 5 channels, got 6'):
        leading_directions(own_covariance('full'), 1.0, 6)
    with pytest.raises(ValueError, match='strength'):
        sample_augmentation(own_covariance('full'), -1.0, 1, seeded())
