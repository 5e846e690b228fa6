"""Logit adjustment: the loss equals a float64 loop, and on Gaussian classes it restores the baseline's decisions."""
import math

import pytest
import reference
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from isda_seg.core import isda_cross_entropy
from isda_seg.core.functional import closed_form_loss
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.prior import adjust_logits, log_prior

CLASSES, CHANNELS, IGNORE, TAU = 4, 5, 255, 0.7
COUNT = torch.tensor([40, 7, 0, 1])


def problem(dims, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, CLASSES, *dims, dtype=torch.float64, generator=generator)
    labels = torch.randint(CLASSES, (2, *dims), generator=generator)
    labels.view(-1)[::5] = IGNORE
    weight = torch.randn(CLASSES, CHANNELS, dtype=torch.float64, generator=generator)
    covariance = torch.rand(CLASSES, CHANNELS, dtype=torch.float64, generator=generator)
    return logits.requires_grad_(), labels, weight.requires_grad_(), covariance


def literal_prior(count):
    seen = [max(n, 1) for n in count.tolist()]
    return [math.log(n / sum(seen)) for n in seen]


def literal_loss(logits, labels, weight, covariance, strength):
    """Sample by sample: Eq. 7 with tau * log prior added to every logit."""
    table, prior, losses = reference.margin_variance(weight, covariance), literal_prior(COUNT), []
    for z, y in zip(logits.movedim(1, -1).reshape(-1, CLASSES), labels.flatten().tolist(), strict=True):
        if y != IGNORE:
            own = torch.stack([z[c] + strength / 2 * table[y][c] + TAU * prior[c] for c in range(CLASSES)])
            losses.append(own.logsumexp(0) - own[y])
    return torch.stack(losses).mean()


def test_a_class_without_samples_counts_as_one():
    assert_close(log_prior(COUNT), torch.tensor([math.log(n / 49) for n in (40, 7, 1, 1)]))
    assert_close(log_prior(torch.zeros(3, dtype=torch.int64)).exp(), torch.full((3,), 1 / 3))


@pytest.mark.parametrize('strength', [0.0, 2.5])
@pytest.mark.parametrize('dims', [(), (6, 7)], ids=['samples', 'pixels'])
def test_the_adjusted_loss_equals_a_float64_loop(dims, strength):
    logits, labels, weight, covariance = problem(dims)
    loss = isda_cross_entropy(logits, labels, weight, covariance, strength, ignore_index=IGNORE,
                              adjustment=TAU * log_prior(COUNT))
    slow = literal_loss(logits, labels, weight, covariance, strength)
    assert_close(loss, slow, rtol=1e-7, atol=1e-7)  # the prior is float32
    for own, other in zip(torch.autograd.grad(loss, (logits, weight), materialize_grads=True),
                          torch.autograd.grad(slow, (logits, weight)), strict=True):
        assert_close(own, other, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('align_corners', [False, True])
def test_rows_on_the_feature_grid_leave_the_adjustment_at_every_pixel(align_corners):
    """Pixels of ignored grid points get the adjustment too."""
    logits, labels, weight, covariance = problem((6, 7))
    grid = Grid(labels[:, ::3, ::3].contiguous(), align_corners)
    adjustment = TAU * log_prior(COUNT)
    given = (weight, covariance, 2.5)
    fused = closed_form_loss(logits, labels, *given, ignore_index=IGNORE, grid=grid, adjustment=adjustment)
    shifted = closed_form_loss(adjust_logits(logits, adjustment), labels, *given, ignore_index=IGNORE, grid=grid)
    assert_close(fused, shifted)
    assert_close(torch.autograd.grad(fused, (logits, weight)), torch.autograd.grad(shifted, (logits, weight)))


def test_second_derivatives_equal_those_of_adjusted_logits():
    logits, labels, weight, covariance = problem((3, 4))
    grid, adjustment = Grid(labels[:, ::2, ::2].contiguous(), False), TAU * log_prior(COUNT)

    def second(adjust_inside, grid):
        z = logits if adjust_inside else adjust_logits(logits, adjustment)
        loss = closed_form_loss(z, labels, weight, covariance, 1.0, ignore_index=IGNORE, grid=grid,
                                adjustment=adjustment if adjust_inside else None)
        first = torch.autograd.grad(loss, logits, create_graph=True)[0]
        return torch.autograd.grad(first.square().sum(), (logits, weight))

    assert_close(second(True, None), second(False, None))
    assert_close(second(True, grid), second(False, grid))


def test_no_adjustment_returns_the_logits_themselves():
    logits = torch.randn(2, 3)
    assert adjust_logits(logits, None) is logits


MEANS, PRIOR = torch.tensor([0.0, 2.0, 3.5], dtype=torch.float64), torch.tensor([0.8, 0.15, 0.05], dtype=torch.float64)
POINTS = torch.linspace(-12, 16, 2801, dtype=torch.float64)


def optimum(variance, adjustment=None):
    """Weight and bias that minimise the expected cross-entropy of classes N(mean, variance), by quadrature."""
    joint = PRIOR[:, None] * (-(POINTS - MEANS[:, None]).square() / (2 * variance)).exp()
    joint = joint / joint.sum()
    parameters = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([parameters], max_iter=400, tolerance_grad=1e-11, tolerance_change=0,
                               line_search_fn='strong_wolfe')

    def closure():
        solver.zero_grad()
        z = adjust_logits(POINTS[:, None] * parameters[0] + parameters[1], adjustment)
        loss = -(joint.t() * F.log_softmax(z, dim=1)).sum()
        loss.backward()
        return loss

    solver.step(closure)
    return (POINTS[:, None] * parameters[0] + parameters[1]).detach()


@pytest.mark.parametrize('strength', [0.5, 2.0])
def test_tau_restores_the_decisions_of_the_baseline_on_gaussian_classes(strength):
    """Augmented with N(0, strength * Sigma), Gaussian classes keep their log-prior and 1 / (1 + strength) of the rest.

    So tau = strength / (1 + strength), at test or in training, gives the argmax of the optimum without augmentation.
    """
    count = (PRIOR * 1e6).round().long()
    adjustment = strength / (1 + strength) * log_prior(count).double()
    plain, augmented = optimum(1.0), optimum(1.0 + strength)
    trained = optimum(1.0 + strength, adjustment)
    decisions = plain.argmax(1)
    assert (augmented.argmax(1) != decisions).sum() > 50  # of 2,801 points
    assert (adjust_logits(augmented, -adjustment).argmax(1) != decisions).sum() <= 1
    assert (trained.argmax(1) != decisions).sum() <= 1
