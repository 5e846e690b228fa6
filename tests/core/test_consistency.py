"""Properties of Eq. 15, the bound on the expected consistency loss of unlabelled samples."""

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.problems import KINDS, covariance_of
from torch.testing import assert_close

from isda_seg.core import ClassStatistics, consistency, isda_consistency, isda_cross_entropy
from isda_seg.core.ops import device

REDUCTIONS = ('mean', 'sum', 'none')


def problem(kind='diagonal', num_classes=4, channels=3, samples=6):
    """features (N, A), weight (C, A), bias (C,), covariance; targets (N, C) that disagree with the logits' argmax."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(samples, channels, dtype=torch.float64, generator=generator)
    weight = torch.randn(num_classes, channels, dtype=torch.float64, generator=generator)
    bias = torch.randn(num_classes, dtype=torch.float64, generator=generator)
    targets = torch.softmax(torch.randn(samples, num_classes, dtype=torch.float64, generator=generator), dim=1)
    return features, weight, bias, covariance_of(kind, num_classes, channels, generator), targets


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('reduction', REDUCTIONS)
@pytest.mark.parametrize('own_targets', [True, False])
def test_value_and_gradients_equal_the_triple_loop(kind, reduction, own_targets):
    features, weight, bias, covariance, targets = problem(kind)
    results = []
    for fast in (True, False):
        a, w, b = (t.clone().requires_grad_() for t in (features, weight, bias))
        logits = a @ w.T + b
        p = None if own_targets else targets
        if fast:
            value = isda_consistency(logits, w, covariance, 1.4, targets=p, reduction=reduction)
        else:
            p = torch.softmax(logits, dim=1).detach() if p is None else p
            value = reference.isda_consistency(logits, w, covariance, 1.4, p)
            value = dict(mean=value.mean, sum=value.sum, none=lambda v=value: v)[reduction]()
        results.append((value.detach(), *torch.autograd.grad(value.sum(), (a, w, b))))
    for actual, expected in zip(*results, strict=True):
        assert_close(actual, expected, rtol=1e-11, atol=1e-12)


def test_the_default_reduction_is_the_mean():
    features, weight, bias, covariance, _ = problem()
    rows = isda_consistency(features @ weight.T + bias, weight, covariance, 1.0, reduction='none')
    assert rows.shape == (6,)
    assert_close(isda_consistency(features @ weight.T + bias, weight, covariance, 1.0), rows.mean(), rtol=1e-13, atol=0)


@pytest.mark.parametrize('num_classes', [2, 11, 19, 21])
def test_any_number_of_classes_equals_the_triple_loop(num_classes):
    features, weight, bias, covariance, targets = problem(num_classes=num_classes, channels=2, samples=3)
    logits = features @ weight.T + bias
    assert_close(isda_consistency(logits, weight, covariance, 0.8, targets=targets, reduction='none'),
                 reference.isda_consistency(logits, weight, covariance, 0.8, targets), rtol=1e-11, atol=0)


@pytest.mark.parametrize('kind', KINDS)
def test_rows_do_not_depend_on_each_other(kind):
    features, weight, bias, covariance, _ = problem(kind, samples=30)
    logits = features @ weight.T + bias
    together = isda_consistency(logits, weight, covariance, 1.0, reduction='none')
    alone = torch.cat([isda_consistency(row[None], weight, covariance, 1.0, reduction='none') for row in logits])
    assert_close(together, alone, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize('kind', KINDS)
def test_strength_zero_is_the_entropy_and_gives_the_logits_no_gradient(kind):
    features, weight, bias, covariance, _ = problem(kind)
    logits = (features @ weight.T + bias).requires_grad_()
    value = isda_consistency(logits, weight, covariance, 0.0, reduction='none')
    assert_close(value, reference.entropy(torch.softmax(logits, dim=1)), rtol=1e-12, atol=1e-13)
    gradient, = torch.autograd.grad(value.sum(), logits)
    assert_close(gradient, torch.zeros_like(logits), rtol=0, atol=1e-14)


def test_strength_zero_with_given_targets_is_their_cross_entropy():
    features, weight, bias, covariance, targets = problem()
    logits = features @ weight.T + bias
    assert_close(isda_consistency(logits, weight, covariance, 0.0, targets=targets), F.cross_entropy(logits, targets),
                 rtol=1e-12, atol=0)


@pytest.mark.parametrize('kind', KINDS)
def test_one_hot_targets_give_the_supervised_loss(kind):
    features, weight, bias, covariance, targets = problem(kind)
    labels = targets.argmax(1)
    one_hot = F.one_hot(labels, 4).double()
    results = []
    for supervised in (True, False):
        a, w, b = (t.clone().requires_grad_() for t in (features, weight, bias))
        value = (isda_cross_entropy(a @ w.T + b, labels, w, covariance, 2.0) if supervised
                 else isda_consistency(a @ w.T + b, w, covariance, 2.0, targets=one_hot))
        results.append((value.detach(), *torch.autograd.grad(value, (a, w, b))))
    for actual, expected in zip(*results, strict=True):
        assert_close(actual, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('strength', [0.1, 0.5, 2.0])
def test_entropy_monte_carlo_mean_and_bound_are_ordered(kind, strength):
    features, weight, bias, covariance, _ = problem(kind)
    logits = features @ weight.T + bias
    probabilities = torch.softmax(logits, dim=1)
    sampled = reference.sampled_consistency(features, probabilities, weight, bias, covariance, strength, 20_000,
                                            torch.Generator().manual_seed(0))
    bound = isda_consistency(logits, weight, covariance, strength)
    assert reference.entropy(probabilities).mean() < sampled < bound


def test_targets_are_always_detached():
    features, weight, bias, covariance, targets = problem()
    logits = (features @ weight.T + bias).requires_grad_()
    followed = targets.clone().requires_grad_()
    own = torch.softmax(logits, dim=1)
    losses = [isda_consistency(logits, weight, covariance, 1.0, targets=t) for t in (targets, followed, own, None)]
    losses.append(isda_consistency(logits, weight, covariance, 1.0, targets=own.detach()))
    gradients = [torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in losses]
    assert torch.equal(gradients[0], gradients[1])
    assert torch.equal(gradients[2], gradients[4])
    assert_close(gradients[3], gradients[4], rtol=1e-13, atol=1e-14)
    losses[1].backward()
    assert followed.grad is None


def test_the_covariance_is_that_of_the_targets_argmax():
    features, weight, bias, covariance, targets = problem()
    logits = features @ weight.T + bias
    assert not torch.equal(targets.argmax(1), logits.argmax(1))
    only = torch.zeros_like(covariance)
    pseudo = int(targets[0].argmax())
    only[pseudo] = covariance[pseudo]
    actual = isda_consistency(logits, weight, only, 1.0, targets=targets, reduction='none')
    plain = F.cross_entropy(logits, targets, reduction='none')
    same = targets.argmax(1) == pseudo
    assert (actual[same] > plain[same] + 1e-6).all()
    assert_close(actual[~same], plain[~same], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_equal_finite_differences(kind):
    features, weight, bias, covariance, targets = problem(kind)

    def loss(a, w, b):
        return isda_consistency(a @ w.T + b, w, covariance, 1.3, targets=targets)

    assert torch.autograd.gradcheck(loss, tuple(t.requires_grad_() for t in (features, weight, bias))) is True


def test_full_with_a_diagonal_matrix_equals_diagonal():
    features, weight, bias, covariance, _ = problem()
    logits = features @ weight.T + bias
    assert_close(isda_consistency(logits, weight, torch.diag_embed(covariance), 1.0),
                 isda_consistency(logits, weight, covariance, 1.0), rtol=1e-12, atol=0)


@pytest.mark.parametrize('kind', KINDS)
def test_a_common_offset_of_all_weight_rows_does_not_cancel_in_float32(kind):
    features, weight, bias, covariance, _ = problem(kind, channels=64)
    logits = features @ weight.T * 0.03 + bias
    weight, logits, covariance = (weight * 0.03 + 8.0).float(), logits.float(), covariance.float()
    exact = isda_consistency(logits.double(), weight.double(), covariance.double(), 2.0)
    assert_close(isda_consistency(logits, weight, covariance, 2.0).double(), exact, rtol=1e-5, atol=0)


def test_a_very_large_strength_is_correct_in_float32():
    features, weight, bias, covariance, targets = problem()
    logits = features @ weight.T + bias
    exact = isda_consistency(logits, weight, covariance, 1e6, targets=targets)
    actual = isda_consistency(logits.half(), weight.float(), covariance.float(), 1e6, targets=targets.float())
    assert exact > 65504
    assert_close(actual.double(), exact, rtol=1e-4, atol=0)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('given', 'kept'), [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                                             (torch.float32, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_is_raised_and_float64_stays(kind, given, kept):
    features, weight, bias, covariance, _ = problem(kind)
    tensors = [t.to(given) for t in (features @ weight.T + bias, weight, covariance)]
    value = isda_consistency(*tensors, 1.0)
    assert value.dtype == kept
    assert torch.equal(value, isda_consistency(*(t.to(kept) for t in tensors), 1.0))


def test_autocast_does_not_lower_the_value():
    features, weight, bias, covariance, _ = problem('full')
    arguments = ((features @ weight.T + bias).float(), weight.float(), covariance.float(), 1.5)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        cast = isda_consistency(*arguments)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, isda_consistency(*arguments))


@pytest.mark.parametrize('strength', [-0.5, float('nan'), float('inf')])
def test_a_negative_or_non_finite_strength_is_an_error_that_names_it(strength):
    features, weight, bias, covariance, _ = problem()
    with pytest.raises(ValueError, match=str(strength)):
        isda_consistency(features @ weight.T + bias, weight, covariance, strength)


def test_wrong_shapes_are_errors_with_expected_and_actual_shape():
    features, weight, bias, covariance, targets = problem()
    logits = features @ weight.T + bias
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b4\b)(?=.*\b7\b)'):
        isda_consistency(logits, torch.ones(7, 3, dtype=torch.float64), torch.ones(7, 3, dtype=torch.float64), 1.0)
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b3\b)(?=.*\b9\b)'):
        isda_consistency(logits, weight, torch.ones(4, 9, dtype=torch.float64), 1.0)
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b6\b)(?=.*\b5\b)'):
        isda_consistency(logits, weight, covariance, 1.0, targets=targets[:5])
    with pytest.raises(ValueError, match='median'):
        isda_consistency(logits, weight, covariance, 1.0, reduction='median')


# -- blocks of tables -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('cpu_types', [('cpu',), ()])
@pytest.mark.parametrize('terms', [1, 40, 1 << 24])
@pytest.mark.parametrize('kind', KINDS)
def test_blocks_of_tables_equal_the_triple_loop(cpu_types, terms, kind, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
    monkeypatch.setattr(consistency, 'MAX_TERMS', terms)
    features, weight, bias, covariance, targets = problem(kind, samples=9)
    results = []
    for function in (lambda z, w: isda_consistency(z, w, covariance, 1.4, targets=targets, reduction='none'),
                     lambda z, w: reference.isda_consistency(z, w, covariance, 1.4, targets)):
        leaves = (features @ weight.T + bias).requires_grad_(), weight.clone().requires_grad_()
        value = function(*leaves)
        results.append((value.detach(), *torch.autograd.grad((value * value.detach()).sum(), leaves)))
    for actual, expected in zip(*results, strict=True):
        assert_close(actual, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_small_margins_of_distant_groups_are_precise_in_float32(kind):
    _, weight, _, covariance, _ = problem(kind)
    weight, covariance = (1e-2 * weight).float(), covariance.float()
    weight[2:] += 300
    logits = torch.tensor([[0.0, 0.0, -2e7, -2e7]])  # the other group has probability 0
    targets = torch.tensor([[0.6, 0.4, 0.0, 0.0]])
    strength = 1e-3
    bound = isda_consistency(logits, weight, covariance, strength, targets=targets)
    margins = [weight[j].double() - weight[k].double() for k, j in ((0, 1), (1, 0))]
    spread = [reference.quadratic_form(margin, covariance[0].double()) for margin in margins]
    expected = sum(p * torch.log1p(torch.exp(strength / 2 * s)) for p, s in zip((0.6, 0.4), spread, strict=True))
    assert_close(bound.double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize('kind', ['diagonal', 'full', 'shared'])
def test_two_steps_with_both_losses_share_one_backward_pass(kind):
    features, weight, bias, _, _ = (t.float() for t in problem(samples=12))
    labels = torch.arange(12) % 4
    gradients = []
    for backward_each_step in (True, False):
        statistics, w = ClassStatistics(4, 3, kind), weight.clone().requires_grad_()
        total = torch.zeros(())
        for step in range(2):
            statistics.observe(features + step, labels)
            logits = features @ w.T + bias
            loss = isda_cross_entropy(logits, labels, w, statistics.covariance, 1.0) + \
                isda_consistency(logits, w, statistics.covariance, 1.0)
            if backward_each_step:
                loss.backward()
            total = total + loss
        if not backward_each_step:
            total.backward()
        gradients.append(w.grad)
    assert_close(*gradients)
