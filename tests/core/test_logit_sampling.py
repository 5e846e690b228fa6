"""Properties of Eq. 5 in logit space: equal in distribution and gradient to sampled features."""
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.problems import KINDS, margin_problem
from torch.testing import assert_close

from isda_seg.core import sampled_cross_entropy
from isda_seg.core.logit_sampling import LogitNoise, logit_roots, sampled_logits
from isda_seg.core.ops.upsampled import Grid

SIZES = [(4, 3), (3, 7)]  # more classes than channels, and fewer


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def products(weight, covariance):
    """W Sigma W^T of each class by its definition."""
    full = covariance if covariance.dim() == 3 else torch.diag_embed(covariance)
    return torch.stack([weight @ sigma @ weight.t() for sigma in full])


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('size', SIZES)
def test_roots_and_their_derivative_match_the_logit_covariance(kind, size):
    weight, covariance = margin_problem(kind, *size)
    weight.requires_grad_()
    assert logit_roots(weight, covariance).shape[2] == min(size)
    assert_roots_follow(weight, covariance, (weight, ))
    assert_roots_follow(weight, covariance, (weight, covariance.requires_grad_()))


def assert_roots_follow(weight, covariance, leaves):
    """Value and derivatives of F F^T against those of W Sigma W^T."""
    roots = logit_roots(weight, covariance)
    found, expected = roots @ roots.mT, products(weight, covariance)
    assert_close(found, expected, rtol=1e-11, atol=1e-12)
    direction = torch.randn(expected.shape, dtype=weight.dtype, generator=seeded(1))
    symmetric = direction + direction.mT  # a symmetric direction
    for one, other in zip(torch.autograd.grad((found * symmetric).sum(), leaves),
                          torch.autograd.grad((expected * symmetric).sum(), leaves), strict=True):
        assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_logit_samples_have_no_more_gradient_variance_than_feature_samples():
    """The weight's rows sum to nearly zero, as those of a trained classifier, so that one eigenvalue is small."""
    weight, covariance = margin_problem('full', *SIZES[1])
    weight = (weight - (1 - 1e-3) * weight.mean(dim=0)).requires_grad_()
    labels = torch.arange(48) % len(weight)
    features = torch.randn(48, weight.shape[1], dtype=torch.float64, generator=seeded(4))
    root = torch.linalg.cholesky(covariance)[labels]

    def gradients(logits):
        losses = [F.cross_entropy(logits(), labels) for _ in range(300)]
        return torch.stack([torch.autograd.grad(loss, weight)[0] for loss in losses])

    torch.manual_seed(0)
    drawn = gradients(lambda: next(iter(sampled_logits(features @ weight.t(), labels, weight, covariance, 1.0, 1))))
    moved = gradients(lambda: (features + (root @ torch.randn(*features.shape, 1, dtype=torch.float64))[..., 0])
                      @ weight.t())
    assert drawn.var(dim=0).sum() < moved.var(dim=0).sum()


def test_the_weight_derivative_is_correct_for_a_singular_covariance():
    weight, _ = margin_problem('full', *SIZES[1])
    directions = torch.randn(3, 7, 2, dtype=torch.float64, generator=seeded(3))
    assert_roots_follow(weight.requires_grad_(), directions @ directions.mT, (weight, ))


@pytest.mark.parametrize('kind', KINDS)
def test_the_noise_has_mean_zero_and_the_logit_covariance(kind):
    weight, covariance = margin_problem(kind, *SIZES[1])
    labels = torch.tensor([2, 0, 255, 2])
    noise = LogitNoise(labels, weight, covariance, 0.5, ignore_index=255).sample(40_000, seeded())
    assert noise.shape == (40_000, 4, 3) and not noise[:, 2].any()
    for n, y in ((0, 2), (1, 0), (3, 2)):
        expected = 0.5 * products(weight, covariance)[min(y, len(covariance) - 1)]
        scale = float(expected.diagonal().max())
        assert_close(noise[:, n].mean(dim=0), torch.zeros(3, dtype=weight.dtype), rtol=0, atol=0.03 * scale ** 0.5)
        assert_close(noise[:, n].t().cov(), expected, rtol=0, atol=0.03 * scale)
    assert abs(float((noise[:, 0] * noise[:, 3]).mean())) < 0.03 * float((noise[:, 0] ** 2).mean())  # independent


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('size', SIZES)
def test_expected_loss_and_gradients_equal_those_of_feature_samples(kind, size):
    weight, covariance = margin_problem(kind, *size)
    features = torch.randn(5, size[1], dtype=torch.float64, generator=seeded(2))
    labels = torch.randint(size[0], (5,), generator=seeded(3))
    leaves = features.requires_grad_(), weight.requires_grad_()
    copies, draws = 2_000, 20  # copies of the rows give many samples per call
    rows = features.repeat(copies, 1)
    drawn = sampled_logits(rows @ weight.t(), labels.repeat(copies), weight, covariance, 1.5, draws)
    torch.manual_seed(0)
    sampled = torch.stack([F.cross_entropy(logits, labels.repeat(copies)) for logits in drawn]).mean()
    expected = sampled_cross_entropy(rows, labels.repeat(copies), weight, None, covariance, 1.5, draws,
                                     generator=seeded(4))
    assert_close(sampled, expected, rtol=0.015, atol=0)
    for found, wanted in zip(torch.autograd.grad(sampled, leaves), torch.autograd.grad(expected, leaves), strict=True):
        assert_close(found, wanted, rtol=0, atol=0.03 * float(wanted.abs().max()))


def test_a_singular_covariance_moves_logits_only_in_its_range():
    weight = torch.randn(3, 7, dtype=torch.float64, generator=seeded())
    direction = torch.randn(7, dtype=torch.float64, generator=seeded(1))
    covariance = torch.outer(direction, direction).expand(3, 7, 7)
    noise = LogitNoise(torch.zeros(50, dtype=torch.int64), weight, covariance, 1.0).sample(1, seeded())[0]
    along = weight @ direction
    share = noise @ along / (along @ along)
    assert_close(noise, share[:, None] * along, rtol=0, atol=1e-6)
    assert 0.7 < float(share.std()) < 1.3


def test_maps_have_noise_per_pixel_and_grids_are_upsampled():
    weight, covariance = margin_problem('full', *SIZES[1])
    labels = torch.randint(3, (2, 4, 6), generator=seeded())
    logits = torch.zeros(2, 3, 4, 6, dtype=torch.float64)
    torch.manual_seed(0)
    drawn, = sampled_logits(logits, labels, weight, covariance, 2.0, 1)
    torch.manual_seed(0)
    flat, = sampled_logits(logits.movedim(1, -1).flatten(0, 2), labels.flatten(), weight, covariance, 2.0, 1)
    assert torch.equal(drawn.movedim(1, -1).flatten(0, 2), flat)
    small = labels[:, ::2, ::2]
    torch.manual_seed(0)
    coarse, = sampled_logits(logits, labels, weight, covariance, 2.0, 1, grid=Grid(small, False))
    torch.manual_seed(0)
    noise = LogitNoise(small, weight, covariance, 2.0).sample(1)[0]
    assert_close(coarse, F.interpolate(noise, size=(4, 6), mode='bilinear', align_corners=False), rtol=0, atol=0)


@pytest.mark.parametrize('labels', [[], [255, 255]])
def test_without_labelled_samples_the_noise_is_zero(labels):
    weight, covariance = margin_problem('diagonal', *SIZES[1])
    noise = LogitNoise(torch.tensor(labels, dtype=torch.int64), weight, covariance, 1.0, ignore_index=255).sample(2)
    assert torch.equal(noise, torch.zeros(2, len(labels), 3, dtype=torch.float64))


def test_a_seed_reproduces_samples_and_a_bad_strength_is_an_error():
    weight, covariance = margin_problem('full', *SIZES[1])
    noise = LogitNoise(torch.arange(3), weight, covariance, 1.0)
    assert torch.equal(noise.sample(3, seeded(5)), noise.sample(3, seeded(5)))
    with pytest.raises(ValueError, match='strength'):
        LogitNoise(torch.arange(3), weight, covariance, -1.0)


def test_samples_of_two_classes_converge_to_quadrature():
    weight, covariance = margin_problem('full', 2, 5)
    features = torch.randn(1, 5, dtype=torch.float64, generator=seeded(1))
    margin = float(features[0] @ (weight[1] - weight[0]))
    variance = 2.0 * float(reference.quadratic_form(weight[1] - weight[0], covariance[0]))
    noise = LogitNoise(torch.zeros(1, dtype=torch.int64), weight, covariance, 2.0).sample(200_000, seeded())
    losses = F.softplus((features @ weight.t() + noise)[:, 0].diff(dim=1))
    assert abs(float(losses.mean()) - reference.expected_two_class_loss(margin, variance)) < 5 * float(
        losses.std()) / 200_000 ** 0.5
