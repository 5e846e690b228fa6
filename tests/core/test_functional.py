"""Properties of Eq. 7: logits augmented with the margin table, and their cross-entropy."""

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.exhaustive import any_ignore_index, any_number_of_classes, exhaustive
from helpers.problems import KINDS, loss_problem
from torch.testing import assert_close

from isda_seg.core import (
    ClassStatistics,
    augment_logits,
    class_moments,
    isda_cross_entropy,
    margin_variance,
    merge,
    sampled_cross_entropy,
)
from isda_seg.core.ops import device

REDUCTIONS = ('mean', 'sum', 'none')
SHAPES = ((12,), (3, 5), (2, 4, 6), (2, 2, 3, 4))  # labels: rows, sequences, images, volumes


def dense(shape, num_classes=5, dtype=torch.float64, seed=0):
    """logits (N, C, ...) and labels (N, ...) of the given label shape."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape[0], num_classes, *shape[1:], dtype=torch.float64, generator=generator)
    return logits.to(dtype), torch.randint(num_classes, shape, generator=generator)


def rows(logits):
    """(N, C, ...) as (pixels, C)."""
    return logits.movedim(1, -1).reshape(-1, logits.shape[1])


def reduced(losses, reduction):
    return dict(mean=losses.mean, sum=losses.sum, none=lambda: losses)[reduction]()


def losses_and_gradients(function, tensors):
    leaves = [t.clone().requires_grad_() for t in tensors]
    value = function(*leaves)
    return [value.detach(), *torch.autograd.grad(value.sum(), leaves)]


# -- Eq. 7 against the literal form ------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('reduction', REDUCTIONS)
def test_loss_and_gradients_equal_the_literal_form(kind, reduction):
    features, labels, weight, bias, covariance = loss_problem(kind)

    def fast(a, w, b):
        return isda_cross_entropy(a @ w.T + b, labels, w, covariance, 1.7, reduction=reduction)

    def literal(a, w, b):
        return reduced(reference.isda_cross_entropy(a @ w.T + b, labels, w, covariance, 1.7), reduction)

    for actual, expected in zip(losses_and_gradients(fast, (features, weight, bias)),
                                losses_and_gradients(literal, (features, weight, bias)), strict=True):
        assert_close(actual, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('kind', KINDS)
def test_augmented_logits_and_gradients_equal_the_literal_form(kind):
    features, labels, weight, bias, covariance = loss_problem(kind)
    upstream = torch.randn(14, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(9))

    def fast(a, w, b):
        return augment_logits(a @ w.T + b, labels, margin_variance(w, covariance), 1.7) * upstream

    def literal(a, w, b):
        return reference.penalised_logits(a @ w.T + b, labels, w, covariance, 1.7) * upstream

    for actual, expected in zip(losses_and_gradients(fast, (features, weight, bias)),
                                losses_and_gradients(literal, (features, weight, bias)), strict=True):
        assert_close(actual, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize('shape', [*SHAPES, (1, 130, 130)])
@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_pixels_of_any_shape_equal_rows(shape, kind):
    _, _, weight, _, covariance = loss_problem(kind)
    logits, labels = dense(shape)
    labels.view(-1)[::3] = 255
    actual = isda_cross_entropy(logits, labels, weight, covariance, 2.0, ignore_index=255)
    expected = reference.isda_cross_entropy(rows(logits), labels.flatten(), weight, covariance, 2.0, ignore_index=255)
    assert_close(actual, expected.mean(), rtol=1e-12, atol=1e-12)
    unreduced = isda_cross_entropy(logits, labels, weight, covariance, 2.0, ignore_index=255, reduction='none')
    assert unreduced.shape == shape
    assert_close(unreduced[labels != 255], expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(unreduced[labels == 255], torch.zeros(int((labels == 255).sum()), dtype=torch.float64))


def test_full_with_a_diagonal_matrix_equals_diagonal():
    features, labels, weight, bias, covariance = loss_problem('diagonal')
    logits = features @ weight.T + bias
    assert_close(isda_cross_entropy(logits, labels, weight, torch.diag_embed(covariance), 3.0),
                 isda_cross_entropy(logits, labels, weight, covariance, 3.0), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('kind', KINDS)
def test_gradients_of_the_loss_equal_finite_differences(kind):
    features, labels, weight, bias, covariance = loss_problem(kind, num_classes=4, channels=3, samples=6)
    labels[2] = -100

    def loss(a, w, b):
        return isda_cross_entropy(a @ w.T + b, labels, w, covariance, 1.3)

    leaves = tuple(t.requires_grad_() for t in (features, weight, bias))
    assert torch.autograd.gradcheck(loss, leaves) is True


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_second_derivatives_equal_finite_differences(kind):
    features, labels, weight, bias, covariance = loss_problem(kind, num_classes=3, channels=2, samples=4)

    def loss(a, w, b):
        return isda_cross_entropy(a @ w.T + b, labels, w, covariance, 1.3)

    leaves = tuple(t.requires_grad_() for t in (features, weight, bias))
    assert torch.autograd.gradgradcheck(loss, leaves) is True


def test_no_gradient_flows_to_the_statistics_buffers():
    features, labels, weight, bias, covariance = loss_problem()
    before = covariance.clone()
    loss = isda_cross_entropy(features @ weight.requires_grad_().T + bias, labels, weight, covariance, 1.0)
    loss.backward()
    assert covariance.grad is None and torch.equal(covariance, before)


# -- strength ----------------------------------------------------------------------------------------------------------

@exhaustive('shape', [*SHAPES, (700,), (2, 37, 53), (1, 130, 130)], kind=len)
@pytest.mark.parametrize('reduction', REDUCTIONS)
@exhaustive('ignore_index', [255, -100, -1, 2], kind=lambda index: index == 2)
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_strength_zero_equals_cross_entropy_bitwise(shape, reduction, ignore_index, dtype):
    _, _, weight, _, covariance = loss_problem()
    logits, labels = dense(shape, dtype=dtype)
    labels.view(-1)[::4] = ignore_index

    def isda(z):
        return isda_cross_entropy(z, labels, weight.to(dtype), covariance.to(dtype), 0.0, ignore_index=ignore_index,
                                  reduction=reduction)

    def plain(z):
        return F.cross_entropy(z, labels, ignore_index=ignore_index, reduction=reduction)

    for actual, expected in zip(losses_and_gradients(isda, (logits,)), losses_and_gradients(plain, (logits,)),
                                strict=True):
        assert actual.dtype == dtype and torch.equal(actual, expected)


def test_strength_zero_gives_the_weight_no_extra_gradient():
    logits, labels = dense((12,))
    _, _, weight, _, covariance = loss_problem()
    loss = isda_cross_entropy(logits.requires_grad_(), labels, weight.requires_grad_(), covariance, 0.0)
    gradient, = torch.autograd.grad(loss, weight, allow_unused=True, materialize_grads=True)
    assert torch.equal(gradient, torch.zeros_like(weight))


def test_default_ignore_index_is_that_of_cross_entropy():
    logits, labels = dense((2, 4, 6))
    labels[0, :2] = -100
    _, _, weight, _, covariance = loss_problem()
    assert torch.equal(isda_cross_entropy(logits, labels, weight, covariance, 0.0), F.cross_entropy(logits, labels))


@pytest.mark.parametrize('kind', KINDS)
def test_the_loss_never_falls_with_strength(kind):
    features, labels, weight, bias, covariance = loss_problem(kind)
    losses = [isda_cross_entropy(features @ weight.T + bias, labels, weight, covariance, s) for s in (0, 0.1, 1, 5, 50)]
    assert all(weaker <= stronger for weaker, stronger in zip(losses, losses[1:], strict=False))


def test_a_very_large_strength_is_correct_in_float32():
    features, labels, weight, bias, covariance = loss_problem()
    logits, strength = (features @ weight.T + bias).half(), 1e6
    expected = reference.isda_cross_entropy(logits.double(), labels, weight.half().double(), covariance, strength)
    actual = isda_cross_entropy(logits, labels, weight.half(), covariance.float(), strength)
    assert expected.mean() > 65504
    assert_close(actual.double(), expected.mean(), rtol=1e-5, atol=0)


# -- the bound ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('strength', [0.1, 0.5, 2.0])
def test_bound_is_at_least_the_monte_carlo_mean_of_the_sampled_loss(kind, strength):
    features, labels, weight, bias, covariance = loss_problem(kind, samples=8)
    generator = torch.Generator().manual_seed(0)
    plain = F.cross_entropy(features @ weight.T + bias, labels)
    sampled = sampled_cross_entropy(features.repeat(500, 1), labels.repeat(500), weight, bias, covariance, strength, 40,
                                    generator=generator)
    bound = isda_cross_entropy(features @ weight.T + bias, labels, weight, covariance, strength)
    assert plain < sampled < bound


# -- labels ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('shape', SHAPES)
def test_the_true_class_logit_never_changes(shape, dtype):
    logits, labels = dense(shape, dtype=dtype)
    _, _, weight, _, covariance = loss_problem()
    augmented = augment_logits(logits, labels, margin_variance(weight.to(dtype), covariance.to(dtype)), 7.5)
    index = labels.unsqueeze(1)
    assert torch.equal(augmented.gather(1, index), logits.gather(1, index))
    assert (augmented >= logits).all() and (augmented > logits).any()


@pytest.mark.parametrize('ignore_index', [255, -1, -100, 0, 3])
def test_ignored_pixels_are_unchanged(ignore_index):
    logits, labels = dense((2, 4, 6))
    labels[:, 1::2] = ignore_index
    _, _, weight, _, covariance = loss_problem()
    table = margin_variance(weight, covariance)
    before = logits.clone()
    augmented = augment_logits(logits, labels, table, 7.5, ignore_index=ignore_index)
    ignored = labels == ignore_index
    assert torch.equal(rows(augmented)[ignored.flatten()], rows(logits)[ignored.flatten()])
    assert_close(rows(augmented)[~ignored.flatten()], rows(logits)[~ignored.flatten()] + 3.75 * table[labels[~ignored]],
                 rtol=1e-14, atol=1e-14)
    assert augmented.shape == logits.shape and torch.equal(logits, before)


@any_number_of_classes
@any_ignore_index
@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_ignored_pixels_equal_removed_pixels(num_classes, ignore_index, kind):
    features, labels, weight, bias, covariance = loss_problem(kind, num_classes, channels=3, samples=40)
    if ignore_index is not None:
        labels[::3] = ignore_index
        kept = labels != ignore_index
    else:
        kept = torch.ones(40, dtype=torch.bool)
    logits = (features @ weight.T + bias).requires_grad_()
    losses = isda_cross_entropy(logits, labels, weight, covariance, 2.0, ignore_index=ignore_index)
    removed = isda_cross_entropy(logits[kept], labels[kept], weight, covariance, 2.0)
    expected = reference.isda_cross_entropy(logits, labels, weight, covariance, 2.0, ignore_index).mean()
    assert_close(losses, removed, rtol=1e-13, atol=0)
    assert_close(losses, expected, rtol=1e-12, atol=0)
    gradient, = torch.autograd.grad(losses, logits)
    assert torch.equal(gradient[~kept], torch.zeros_like(gradient[~kept]))
    table = margin_variance(weight, covariance)
    assert torch.equal(augment_logits(logits, labels, table, 2.0, ignore_index=ignore_index)[kept],
                       augment_logits(logits[kept], labels[kept], table, 2.0))


def test_an_ignored_class_inside_the_range_stays_in_the_denominator():
    features, labels, weight, bias, covariance = loss_problem()
    labels[:3] = 2
    logits = (features @ weight.T + bias).requires_grad_()
    loss = isda_cross_entropy(logits, labels, weight, covariance, 1.0, ignore_index=2)
    kept = labels != 2
    penalised = reference.penalised_logits(logits[kept], labels[kept], weight, covariance, 1.0)
    assert_close(loss, F.cross_entropy(penalised, labels[kept]), rtol=1e-12, atol=0)
    without = F.cross_entropy(penalised[:, [0, 1, 3, 4]], torch.tensor([0, 1, -1, 2, 3])[labels[kept]])
    assert loss > without
    gradient, = torch.autograd.grad(loss, logits)
    assert (gradient[kept][:, 2] > 0).all()


@pytest.mark.parametrize('reduction', ['mean', 'sum'])
@pytest.mark.parametrize('strength', [0.0, 7.5])
@pytest.mark.parametrize('shape', [(12,), (2, 4, 6), (0,)])
def test_nothing_labelled_gives_loss_zero_and_zero_gradients(reduction, strength, shape):
    logits, labels = dense(shape)
    labels.fill_(255)
    _, _, weight, _, covariance = loss_problem()
    leaves = [logits.requires_grad_(), weight.requires_grad_()]
    loss = isda_cross_entropy(*leaves[:1], labels, weight, covariance, strength, ignore_index=255, reduction=reduction)
    assert loss.shape == () and loss.item() == 0.0
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)
    assert all(torch.equal(g, torch.zeros_like(leaf)) for g, leaf in zip(gradients, leaves, strict=True))


def test_a_class_never_seen_is_not_penalised():
    features, labels, weight, bias, _ = loss_problem()
    labels = labels.clamp(max=3)
    covariance = class_moments(features, labels, 5).covariance
    logits = features @ weight.T + bias
    as_unseen = torch.full_like(labels, 4)
    assert torch.equal(augment_logits(logits, as_unseen, margin_variance(weight, covariance), 7.5), logits)
    assert torch.equal(isda_cross_entropy(logits, as_unseen, weight, covariance, 7.5),
                       F.cross_entropy(logits, as_unseen))


# -- precision ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('given', 'kept'), [(torch.float16, torch.float32), (torch.bfloat16, torch.float32),
                                             (torch.float32, torch.float32), (torch.float64, torch.float64)])
def test_half_precision_is_raised_and_float64_stays(kind, given, kept):
    features, labels, weight, bias, covariance = loss_problem(kind)
    logits, weight, covariance = (features @ weight.T + bias).to(given), weight.to(given), covariance.to(given)
    loss = isda_cross_entropy(logits, labels, weight, covariance, 1.5)
    assert loss.dtype == kept
    assert torch.equal(loss, isda_cross_entropy(logits.to(kept), labels, weight.to(kept), covariance.to(kept), 1.5))
    augmented = augment_logits(logits, labels, margin_variance(weight, covariance), 1.5)
    assert augmented.dtype == kept and augmented.shape == logits.shape


def test_float64_logits_stay_float64_with_float32_buffers():
    features, labels, weight, bias, covariance = loss_problem()
    logits = features @ weight.T + bias
    actual = isda_cross_entropy(logits, labels, weight, covariance.float(), 1.5)
    expected = reference.isda_cross_entropy(logits, labels, weight, covariance.float().double(), 1.5).mean()
    assert actual.dtype == torch.float64
    assert_close(actual, expected, rtol=1e-12, atol=0)


def test_gradients_of_half_precision_logits_keep_their_dtype():
    features, labels, weight, bias, covariance = loss_problem()
    logits, weight = (features @ weight.T + bias).bfloat16().requires_grad_(), weight.bfloat16().requires_grad_()
    isda_cross_entropy(logits, labels, weight, covariance.float(), 1.5).backward()
    assert (logits.grad.dtype, weight.grad.dtype) == (torch.bfloat16, torch.bfloat16)


def test_a_low_matmul_precision_does_not_lower_the_table_rows(low_matmul_precision):
    logits, labels = dense((2, 24, 24), num_classes=19, dtype=torch.float32)
    _, _, weight, _, covariance = loss_problem(num_classes=19, channels=64)
    table = margin_variance(weight, covariance).float()
    augmented = rows(augment_logits(logits, labels, table, 7.5))
    assert_close(augmented, rows(logits) + 3.75 * table[labels.flatten()], rtol=1e-6, atol=1e-5)


def test_autocast_does_not_lower_the_loss():
    features, labels, weight, bias, covariance = loss_problem('full')
    arguments = ((features @ weight.T + bias).float(), labels, weight.float(), covariance.float(), 1.5)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        cast = isda_cross_entropy(*arguments)
    assert cast.dtype == torch.float32
    assert torch.equal(cast, isda_cross_entropy(*arguments))


# -- errors ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('strength', [-0.5, float('nan'), float('inf'), float('-inf')])
def test_a_negative_or_non_finite_strength_is_an_error_that_names_it(strength):
    logits, labels = dense((12,))
    _, _, weight, _, covariance = loss_problem()
    with pytest.raises(ValueError, match=str(strength)):
        isda_cross_entropy(logits, labels, weight, covariance, strength)
    with pytest.raises(ValueError, match=str(strength)):
        augment_logits(logits, labels, margin_variance(weight, covariance), strength)


@pytest.mark.parametrize(('bad', 'ignore_index'), [(5, -100), (-1, 255), (255, -1), (19, None), (-100, None), (7, 0)])
@pytest.mark.parametrize('shape', [(12,), (2, 4, 6)])
def test_a_label_outside_the_range_is_an_error_that_names_it(bad, ignore_index, shape):
    logits, labels = dense(shape)
    labels.view(-1)[7] = bad
    _, _, weight, _, covariance = loss_problem()
    with pytest.raises(ValueError, match=rf'(?<!\d){bad}(?!\d)'):
        isda_cross_entropy(logits, labels, weight, covariance, 1.0, ignore_index=ignore_index)
    with pytest.raises(ValueError, match=rf'(?<!\d){bad}(?!\d)'):
        augment_logits(logits, labels, margin_variance(weight, covariance), 1.0, ignore_index=ignore_index)


def test_a_wrong_number_of_classes_is_an_error_that_names_both():
    logits, labels = dense((12,), num_classes=5)
    _, _, weight, _, covariance = loss_problem(num_classes=7)
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b5\b)(?=.*\b7\b)'):
        isda_cross_entropy(logits, labels, weight, covariance, 1.0)
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b5\b)(?=.*\b7\b)'):
        augment_logits(logits, labels, margin_variance(weight, covariance), 1.0)


def test_wrong_channels_are_an_error_that_names_both():
    logits, labels = dense((12,))
    _, _, weight, _, _ = loss_problem(channels=4)
    for shape in ((5, 9), (5, 9, 9)):
        with pytest.raises(ValueError, match=r'(?s)(?=.*\b4\b)(?=.*\b9\b)'):
            isda_cross_entropy(logits, labels, weight, torch.ones(shape, dtype=torch.float64), 1.0)


@pytest.mark.parametrize('shape', [(2, 4, 5), (2, 4), (3, 4, 6)])
def test_labels_of_another_shape_are_an_error_that_names_it(shape):
    logits, _ = dense((2, 4, 6))
    _, _, weight, _, covariance = loss_problem()
    labels = torch.zeros(shape, dtype=torch.int64)
    pattern = r'.*'.join(str(n) for n in shape)
    with pytest.raises(ValueError, match=pattern):
        augment_logits(logits, labels, margin_variance(weight, covariance), 1.0)
    with pytest.raises(ValueError, match=pattern):
        isda_cross_entropy(logits, labels, weight, covariance, 1.0)


def test_an_unknown_reduction_is_an_error_that_names_it():
    logits, labels = dense((12,))
    _, _, weight, _, covariance = loss_problem()
    with pytest.raises(ValueError, match='median'):
        isda_cross_entropy(logits, labels, weight, covariance, 1.0, reduction='median')


# -- the trajectory ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(('covariance', 'buffers', 'tolerance'), [
    ('diagonal', torch.float64, 1e-9), ('full', torch.float64, 1e-9), ('diagonal', torch.float32, 1e-5)])
def test_one_hundred_optimisation_steps_stay_close_to_the_oracle(covariance, buffers, tolerance):
    generator = torch.Generator().manual_seed(0)
    classes, inputs, channels, batch, total, lambda_0 = 3, 4, 3, 8, 100, 0.5
    centres = torch.randn(classes, inputs, dtype=torch.float64, generator=generator)
    start = [torch.randn(*shape, dtype=torch.float64, generator=generator) * 0.5
             for shape in ((channels, inputs), (classes, channels), (classes,))]
    twins = [[t.clone().requires_grad_() for t in start] for _ in range(2)]
    optimisers = [torch.optim.SGD(parameters, lr=0.05, momentum=0.5) for parameters in twins]
    nothing = torch.zeros(0, channels, dtype=torch.float64), torch.zeros(0, dtype=torch.int64)
    fast = class_moments(*nothing, classes, covariance=covariance)
    statistics = ClassStatistics(classes, channels, covariance=covariance)
    slow = reference.batch_moments(*nothing, classes)
    losses = []
    for step in range(1, total + 1):
        labels = torch.randint(classes, (batch,), generator=generator)
        x = centres[labels] + 0.5 * torch.randn(batch, inputs, dtype=torch.float64, generator=generator)
        labels[0] = 255
        strength = reference.linear_ramp(step, total, lambda_0)

        deep, weight, bias = twins[0]
        a = x @ deep.T
        fast = merge(fast, class_moments(a, labels, classes, covariance=covariance, ignore_index=255))
        statistics.observe(a, labels, ignore_index=255)
        sigma = fast.covariance if buffers == torch.float64 else statistics.covariance
        loss = isda_cross_entropy(a @ weight.T + bias, labels, weight, sigma, strength, ignore_index=255)

        deep, weight, bias = twins[1]
        a = x @ deep.T
        slow = reference.running_moments(slow, reference.batch_moments(a, labels, classes, 255))
        sigma = slow[2] if covariance == 'full' else reference.diagonal(slow[2])
        oracle = reference.isda_cross_entropy(a @ weight.T + bias, labels, weight, sigma, strength, 255).mean()

        for optimiser, value in zip(optimisers, (loss, oracle), strict=True):
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
        losses.append((loss.item(), oracle.item()))
    assert all(one == pytest.approx(other, rel=tolerance) for one, other in losses)
    for one, other, first in zip(*twins, start, strict=True):
        assert_close(one, other, rtol=10 * tolerance, atol=tolerance)
        assert not torch.allclose(one, first, atol=1e-2)


# -- regressions ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('shape', [(12,), (2, 6, 7)])
@pytest.mark.parametrize('cpu_types', [('cpu',), ()])
def test_an_infinite_covariance_without_samples_changes_nothing(shape, cpu_types, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
    logits, labels = dense(shape, dtype=torch.float32)
    labels = torch.where(labels == 3, 0, labels)
    _, _, weight, _, covariance = (t.float() if t.is_floating_point() else t for t in loss_problem())
    results = []
    for value in (float('inf'), 1.0):
        covariance[3] = value
        results.append(losses_and_gradients(lambda z, w: isda_cross_entropy(z, labels, w, covariance, 2.0),
                                            (logits, weight)))
    assert_close(*results)


@pytest.mark.parametrize('shape', [(12,), (2, 6, 7)])
def test_integer_labels_are_compared_with_the_ignore_index_by_value(shape):
    num_classes = 200
    logits, labels = dense(shape, num_classes)
    labels.view(-1)[0] = 156  # -100 as a uint8
    weight, covariance = torch.randn(num_classes, 4, dtype=torch.float64), torch.ones(num_classes, 4).double()
    losses = [isda_cross_entropy(logits, labels.to(dtype), weight, covariance, 1.0, reduction='none')
              for dtype in (torch.uint8, torch.int64)]
    assert torch.equal(*losses)
    assert float(losses[0].view(-1)[0]) > 0


@pytest.mark.parametrize('strength', ['7.5', None, [1.0]])
@pytest.mark.parametrize('shape', [(12,), (2, 6, 7)])
def test_a_strength_that_is_not_a_number_is_an_error(strength, shape):
    logits, labels = dense(shape)
    weight, covariance = loss_problem()[2], loss_problem()[4]
    with pytest.raises(ValueError, match='strength must be a finite number >= 0, got'):
        isda_cross_entropy(logits.requires_grad_(), labels, weight, covariance, strength)


def test_invalid_labels_are_errors_with_a_conversion():
    weight, covariance = torch.randn(3, 4), torch.rand(3, 4)
    logits, labels = torch.randn(2, 3, 5, 6), torch.zeros(2, 1, 5, 6, dtype=torch.int64)
    with pytest.raises(ValueError, match=r'\(2, 1, 5, 6\): remove the channel with labels.squeeze\(1\)'):
        isda_cross_entropy(logits, labels, weight, covariance, 1.0)
    with pytest.raises(ValueError, match='labels must be a tensor, got ndarray: convert them with torch.as_tensor'):
        isda_cross_entropy(logits, labels.squeeze(1).numpy(), weight, covariance, 1.0)
    assert isda_cross_entropy(logits, labels.squeeze(1), weight, covariance, 1.0).isfinite()


LABELS = [([0, 1, 2], 'must be a tensor, got list: convert them with torch.as_tensor'),
          ((0, 1, 2), 'must be a tensor, got tuple: convert them with torch.as_tensor'),
          (torch.arange(3).numpy(), 'must be a tensor, got ndarray: convert them with torch.as_tensor'),
          (None, 'must be a tensor, got NoneType: pass the class index of each sample'),
          (torch.arange(3).bool(), r'unsupported dtype torch.bool: convert class indices with labels.long\(\)'),
          (torch.ones(3), r'must be integers, got torch.float32: convert class indices with labels.long\(\)'),
          (torch.ones(3, 6), r'must agree|are expected')]
if hasattr(torch, 'uint16'):  # since torch 2.3
    LABELS.append((torch.arange(3).to(torch.uint16),
                   'unsupported dtype torch.uint16: convert class indices with labels.long'))
CALLS = {
    'isda_cross_entropy': lambda labels: isda_cross_entropy(torch.ones(3, 4), labels, torch.ones(4, 5),
                                                            torch.ones(4, 5), 1.0),
    'augment_logits': lambda labels: augment_logits(torch.ones(3, 4), labels, torch.ones(4, 4), 1.0),
    'sampled_cross_entropy': lambda labels: sampled_cross_entropy(torch.ones(3, 5), labels, torch.ones(4, 5), None,
                                                                  torch.ones(4, 5), 1.0, 2),
    'class_moments': lambda labels: class_moments(torch.ones(3, 5), labels, 4),
    'observe': lambda labels: ClassStatistics(4, 5).observe(torch.ones(3, 5), labels)}


@pytest.mark.parametrize('labels, words', LABELS, ids=[words[:30] for _, words in LABELS])
@pytest.mark.parametrize('call', CALLS)
def test_labels_of_another_type_are_an_error_with_a_remedy(call, labels, words):
    with pytest.raises(ValueError, match=words):
        CALLS[call](labels)
