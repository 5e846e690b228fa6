"""Properties of class probabilities as targets: the loss in expectation over labels, weighted moments."""

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.exhaustive import exhaustive
from helpers.problems import KINDS, loss_problem
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.core import ClassStatistics, augment_logits, class_moments, isda_cross_entropy, merge
from isda_seg.core.ops import device
from isda_seg.core.soft_targets import soft_cross_entropy
from isda_seg.criterion import ISDACriterion

CLASSES, CHANNELS, STRENGTH = 5, 4, 1.5


def probabilities(samples, seed=0, dtype=torch.float64):
    """Rows of dense probabilities, of two classes as from mixup, of one class, and of zeros."""
    generator = torch.Generator().manual_seed(seed)
    p = torch.rand(samples, CLASSES, dtype=dtype, generator=generator).softmax(dim=1)
    p[1::4] = torch.tensor([0.3, 0, 0.7, 0, 0], dtype=dtype)
    p[2::4] = torch.eye(CLASSES, dtype=dtype)[1]
    p[7::8] = 0
    return p


def attached(base=None, seed=0, layer=None, **kwargs):
    torch.manual_seed(seed)
    layer, loss = layer or nn.Linear(CHANNELS, CLASSES), ISDACriterion(base=base, **kwargs)
    attach(loss, layer)
    loss.strength = STRENGTH
    return layer, loss


def literal(features, targets, kind):
    """The covariance of a kind, of samples weighted by class probabilities."""
    count, mean, full = reference.soft_moments(features, targets)
    if kind == 'shared':
        full = reference.soft_moments(features, targets.sum(dim=1, keepdim=True))[2]
    return count, mean, {'full': full, 'shared': full, 'diagonal': reference.diagonal(full),
                         'identity': torch.ones(1, CHANNELS, dtype=torch.float64)}[kind]


@pytest.fixture(params=['cpu', 'accelerator'])
def path(request, monkeypatch):
    """The code for a CPU, and that for an accelerator."""
    if request.param == 'accelerator':
        monkeypatch.setattr(device, 'CPU_TYPES', ())


# -- the loss ----------------------------------------------------------------------------------------------------------

@exhaustive('kind', KINDS, kind=lambda kind: kind in ('diagonal', 'full') and kind)
def test_the_loss_equals_the_float64_loops(kind, path, monkeypatch):
    monkeypatch.setattr('isda_seg.core.soft_targets.BLOCK', 9)
    monkeypatch.setattr('isda_seg.core.soft_targets.BLOCK_CPU', 9)
    features, _, weight, bias, covariance = loss_problem(kind)
    logits, p = features @ weight.t() + bias, probabilities(14)
    logits, weight = logits.requires_grad_(), weight.requires_grad_()
    expected = reference.soft_isda_cross_entropy(logits, p, weight, covariance, STRENGTH)
    found = isda_cross_entropy(logits, p, weight, covariance, STRENGTH, reduction='none')
    assert_close(found, expected)
    assert_close(torch.autograd.grad(found.square().sum(), (logits, weight)),
                 torch.autograd.grad(expected.square().sum(), (logits, weight), retain_graph=True))
    maps = [tensor.view(7, 2, 1, CLASSES).movedim(-1, 1) for tensor in (logits, p)]
    assert_close(isda_cross_entropy(*maps, weight, covariance, STRENGTH), expected.mean())


def test_gradients_equal_finite_differences(path):
    features, _, weight, bias, covariance = loss_problem(samples=4)
    p, scale = probabilities(4), torch.rand(CLASSES, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda z, w: soft_cross_entropy(
        z, p, w, covariance, STRENGTH, class_weight=scale, label_smoothing=0.1, adjustment=scale.log()),
        ((features @ weight.t() + bias).requires_grad_(), weight.requires_grad_()))


def test_the_loss_is_at_least_the_mean_over_labels_and_samples():
    features, _, weight, bias, covariance = loss_problem('full', samples=6)
    p, generator = probabilities(6), torch.Generator().manual_seed(0)
    sampled = torch.zeros(6, dtype=torch.float64)
    for i in range(6):
        for y in range(CLASSES):
            if p[i, y]:
                sampled[i] += p[i, y] * reference.sampled_cross_entropy(
                    features[i:i + 1], torch.tensor([y]), weight, bias, covariance, 0.1, 1000, generator)
    bound = isda_cross_entropy(features @ weight.t() + bias, p, weight, covariance, 0.1, reduction='none')
    assert bool((bound > sampled).all())


def test_label_smoothing_lowers_the_bound_by_the_mean_of_the_row():
    """E[logsumexp(z~)] <= logsumexp(z + strength/2 T[y]), and E[z~] = z."""
    layer, loss = attached(nn.CrossEntropyLoss(label_smoothing=0.2, reduction='none'), covariance='full')
    features, labels, number = torch.randn(30, CHANNELS), torch.arange(30) % CLASSES, 2000
    logits = layer(features)
    found, table = loss(logits, labels), loss.table()
    target = 0.8 * F.one_hot(labels, CLASSES) + 0.2 / CLASSES
    bound = (logits + STRENGTH / 2 * table[labels]).logsumexp(dim=1) - (target * logits).sum(dim=1)
    assert_close(found, bound - 0.2 / CLASSES * STRENGTH / 2 * table[labels].sum(dim=1))
    root = torch.linalg.cholesky(STRENGTH * loss.statistics.covariance[labels] + 1e-6 * torch.eye(CHANNELS))
    noise = torch.randn(number, 30, CHANNELS, 1, generator=torch.Generator().manual_seed(0))
    samples = layer(features + (root @ noise).squeeze(-1)).flatten(0, 1)
    sampled = F.cross_entropy(samples, target.repeat(number, 1), reduction='none').view(number, 30)
    assert bool((found < bound).all()) and bool((bound > sampled.mean(dim=0)).all())


def test_the_loss_of_two_classes_is_at_least_the_exact_expectation():
    weight, covariance = torch.tensor([[0.5], [-1]]).double(), torch.tensor([[0.8], [2]]).double()
    for a in (-2.0, 0.0, 1.5):
        z = a * weight[:, 0]
        for p in (0.0, 0.25, 0.6):
            exact = sum(q * reference.expected_two_class_loss(float(z[1 - y] - z[y]), STRENGTH * 1.5 ** 2 * float(s))
                        for y, (q, s) in enumerate(zip((p, 1 - p), covariance, strict=True)))
            bound = isda_cross_entropy(z[None], torch.tensor([[p, 1 - p]]).double(), weight, covariance, STRENGTH)
            assert exact < bound


@pytest.mark.parametrize('reduction', ['mean', 'sum', 'none'])
def test_strength_0_equals_torch_with_weights_and_smoothing(reduction):
    features, _, weight, bias, covariance = loss_problem()
    logits, p, scale = features @ weight.t() + bias, probabilities(14), torch.rand(CLASSES, dtype=torch.float64)
    p[7::8] = 0.2  # torch smooths rows of zeros too
    options = dict(label_smoothing=0.1, reduction=reduction)
    assert_close(soft_cross_entropy(logits, p, weight, covariance, 0.0, class_weight=scale, **options),
                 F.cross_entropy(logits, p, weight=scale, **options))
    assert torch.equal(isda_cross_entropy(logits, p, weight, covariance, 0.0, reduction=reduction),
                       F.cross_entropy(logits, p, reduction=reduction))


@pytest.mark.parametrize('strength', [0.0, STRENGTH])
def test_the_loss_of_half_precision_logits_is_computed_in_float32(strength):
    weight, covariance = torch.randn(CLASSES, CHANNELS), torch.rand(CLASSES, CHANNELS)
    logits, p = torch.randn(14, CLASSES).bfloat16(), probabilities(14, dtype=torch.float32)
    found, expected = (isda_cross_entropy(z, p, weight, covariance, strength) for z in (logits, logits.float()))
    assert torch.equal(found, expected)


def test_empty_batches_have_loss_0_and_large_logits_keep_their_precision():
    weight, covariance = torch.randn(CLASSES, CHANNELS), torch.rand(CLASSES, CHANNELS)
    for strength in (0.0, STRENGTH):
        logits = torch.zeros(0, CLASSES, requires_grad=True)
        loss = isda_cross_entropy(logits, torch.zeros(0, CLASSES), weight, covariance, strength)
        loss.backward()
        assert loss == 0 and logits.grad.shape == (0, CLASSES)
    logits, p = torch.randn(14, CLASSES).round(), probabilities(14, dtype=torch.float32)
    assert_close(*(isda_cross_entropy(z, p, weight, covariance, STRENGTH) for z in (logits + 2 ** 17, logits)))


# -- the statistics ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('offset', [0.0, 1000.0])
def test_moments_equal_the_float64_loops(kind, offset, path):
    features = (torch.randn(24, CHANNELS, generator=torch.Generator().manual_seed(1)) + offset).round(decimals=3)
    p = probabilities(24)
    found, expected = class_moments(features, p, CLASSES, covariance=kind), literal(features, p, kind)
    assert_close(found.count, expected[0])
    assert_close(found.mean.double(), expected[1], rtol=1e-6, atol=1e-6)
    assert_close(found.covariance.double(), expected[2], rtol=1e-5, atol=1e-6)
    bad = torch.cat([features, torch.full((2, CHANNELS), torch.nan)])
    statistics = ClassStatistics(CLASSES, CHANNELS, kind)
    statistics.observe(bad, torch.cat([p, p[:1], p[7:8]]))
    assert int(statistics.dropped) == 1 and statistics.dropped.dtype == torch.int64
    assert_close(tuple(statistics.moments), tuple(found), check_dtype=False)


@pytest.mark.parametrize('kind', KINDS)
def test_moments_of_parts_merge_exactly_with_counts_below_1(kind):
    features, p = torch.randn(24, CHANNELS, dtype=torch.float64), probabilities(24) / 7
    whole = class_moments(features, p, CLASSES, covariance=kind)
    parts = [class_moments(a, b, CLASSES, covariance=kind) for a, b in zip(
        features.split([1, 0, 3, 20]), p.split([1, 0, 3, 20]), strict=True)]
    assert parts[0].count.max() < 0.1
    for order in (parts, parts[::-1]):
        assert_close(tuple(merge(*order)), tuple(whole), rtol=1e-12, atol=1e-12)
    labels = torch.arange(24) % CLASSES
    hard, one_hot = (class_moments(features, y, CLASSES, covariance=kind) for y in (
        labels, F.one_hot(labels, CLASSES).double()))
    assert_close(tuple(merge(whole, hard)), tuple(merge(whole, one_hot)))
    assert hard.count.dtype == torch.int64 and torch.equal(hard.count, one_hot.count.long())


@pytest.mark.parametrize('kind', KINDS)
def test_a_checkpoint_keeps_fractional_counts_and_hard_labels_follow(kind):
    whole, resumed = ClassStatistics(CLASSES, CHANNELS, kind), ClassStatistics(CLASSES, CHANNELS, kind)
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(30, CHANNELS, generator=generator), torch.arange(30) % CLASSES
    whole.observe(features[:20], probabilities(20))
    resumed.load_state_dict(whole.state_dict())
    for statistics in (whole, resumed):
        statistics.observe(features[20:23], labels[20:23])  # in place
        statistics.observe(features[23:], labels[23:])
    assert all(map(torch.equal, whole.moments, resumed.moments))
    p = torch.cat([probabilities(20), F.one_hot(labels[20:], CLASSES)])
    for found, expected in zip(whole.moments, literal(features, p, kind), strict=True):
        assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)


# -- the criterion -----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('base', [None, nn.CrossEntropyLoss(torch.rand(CLASSES), label_smoothing=0.1, reduction='sum'),
                                  nn.CrossEntropyLoss(reduction='none')], ids=str)
@exhaustive('kind', KINDS, kind=lambda kind: kind in ('diagonal', 'full') and kind)
def test_one_hot_targets_equal_labels(base, kind):
    results = []
    for soft in (False, True):
        layer, loss = attached(base, covariance=kind, logit_adjustment=0.5)
        for step in range(3):
            generator = torch.Generator().manual_seed(step)
            features = torch.randn(20, CHANNELS, generator=generator)
            labels = torch.randint(CLASSES, (20,), generator=generator)
            value = loss(layer(features), F.one_hot(labels, CLASSES).float() if soft else labels)
            results.append((value, torch.autograd.grad(value.sum(), layer.weight)[0], *loss.statistics.moments[1:],
                            loss.statistics.count.double()))
    assert_close(results[:3], results[3:], rtol=1e-5, atol=1e-6)


def test_the_criterion_equals_the_function_with_its_statistics():
    scale = torch.rand(CLASSES)
    layer, loss = attached(nn.CrossEntropyLoss(scale, label_smoothing=0.1))
    features, p = torch.randn(24, CHANNELS), probabilities(24, dtype=torch.float32)
    logits = layer(features)
    found = loss(logits, p)
    covariance = class_moments(features, p, CLASSES).covariance
    assert torch.equal(loss.statistics.covariance, covariance)
    assert torch.equal(found, soft_cross_entropy(logits, p, layer.weight, covariance, STRENGTH, class_weight=scale,
                                                 label_smoothing=0.1))


@pytest.mark.parametrize('base', [None, nn.CrossEntropyLoss(torch.rand(CLASSES), label_smoothing=0.1)], ids=str)
def test_strength_0_and_eval_mode_equal_the_base_loss_bitwise(base):
    layer, loss = attached(base)
    features, p = torch.randn(24, CHANNELS), probabilities(24, dtype=torch.float32)
    expected = (base or F.cross_entropy)(layer(features), p)
    loss.strength = 0.0
    assert torch.equal(loss(layer(features), p), expected)
    assert loss.statistics.count.sum() > 20
    loss.strength = STRENGTH
    assert torch.equal(loss.eval()(layer(features), p), expected)


@pytest.mark.parametrize('layer', [nn.Conv3d(CHANNELS, CLASSES, 1), nn.Conv2d(1, CLASSES, (1, CHANNELS)),
                                   nn.Conv1d(CHANNELS, CLASSES, 1)], ids=str)
def test_maps_equal_their_positions_as_samples(layer):
    linear = nn.Linear(CHANNELS, CLASSES)
    linear.load_state_dict(dict(weight=layer.weight.flatten(1), bias=layer.bias))
    features, p = torch.randn(24, CHANNELS), probabilities(24, dtype=torch.float32)
    if isinstance(layer, nn.Conv2d):  # windows of one row
        maps, targets = features.view(2, 1, 12, CHANNELS), p.view(2, 12, 1, CLASSES).movedim(-1, 1)
    else:
        size = (2, 3, 2) if isinstance(layer, nn.Conv3d) else (12,)
        maps, targets = (tensor.view(2, *size, -1).movedim(-1, 1) for tensor in (features, p))
    (_, whole), (_, flat) = attached(layer=layer), attached(layer=linear)
    assert_close(whole(layer(maps), targets), flat(linear(features), p))
    assert_close(tuple(whole.statistics.moments), tuple(flat.statistics.moments))


def test_statistics_take_the_probabilities_at_the_pixel_of_a_feature():
    layer, loss = attached(layer=nn.Conv2d(CHANNELS, CLASSES, 1))
    features, p = torch.randn(2, CHANNELS, 3, 4), probabilities(2 * 9 * 12, dtype=torch.float32)
    targets = p.view(2, 9, 12, CLASSES).movedim(-1, 1)
    loss(F.interpolate(layer(features), (9, 12), mode='bilinear'), targets)
    expected = class_moments(features, targets[:, :, 1::3, 1::3], CLASSES)
    assert_close(tuple(loss.statistics.moments), tuple(expected), check_dtype=False)


class Other(nn.CrossEntropyLoss):
    """A base loss that may read its labels in another way."""


@pytest.mark.parametrize('options, words', [
    (dict(base=Other()), 'base=Other. Remove this setting'),
    (dict(base=nn.CrossEntropyLoss(ignore_index=255), ignore_index=255), 'ignore_index=255 of the base loss. Remove'),
    (dict(samples=2), 'samples=2. Remove'), (dict(resolution='feature'), "resolution='feature'. Remove"),
    (dict(samples=2, resolution='feature'), "samples=2 and resolution='feature'. Remove these settings")])
def test_unsupported_options_are_errors_that_change_nothing(options, words):
    layer, loss = attached(layer=nn.Conv1d(CHANNELS, CLASSES, 1), **options)
    logits, p = layer(torch.randn(2, CHANNELS, 3)), torch.full((2, CLASSES, 3), 1 / CLASSES)
    with pytest.raises(ValueError, match=f'class probabilities are not supported with {words}'):
        loss(logits, p)
    assert loss.statistics.count.sum() == 0
    assert loss(logits, p.argmax(dim=1)).isfinite().all()  # the remedy


def test_improper_probabilities_are_errors_at_once_or_deferred(monkeypatch):
    layer, loss = attached()
    features, p = torch.randn(4, CHANNELS), torch.randn(4, CLASSES)
    p[0, 0] = -0.25
    with pytest.raises(ValueError, match=r'finite and at least 0, some are not: pass the softmax\(1\) of logits'):
        loss(layer(features), p)
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    assert loss(layer(features), p).isfinite() and bool((loss.statistics.count >= 0).all())
    with pytest.raises(ValueError, match=r'some are not: pass the softmax\(1\) of logits, and the relu'):
        loss.raise_deferred_errors()
    assert loss.raise_deferred_errors() is None
    assert loss(layer(features), p.relu()).isfinite()  # the remedy


def test_integer_probabilities_and_single_row_functions_name_a_remedy():
    logits, labels = torch.randn(3, CLASSES), torch.arange(3)
    weight, covariance, one_hot = torch.randn(CLASSES, CHANNELS), torch.rand(CLASSES, CHANNELS), F.one_hot(labels, 5)
    with pytest.raises(ValueError, match=r'class probabilities with labels.float\(\), or pass indices such as'):
        isda_cross_entropy(logits, one_hot, weight, covariance, STRENGTH)
    assert_close(*(isda_cross_entropy(logits, y, weight, covariance, STRENGTH) for y in (
        one_hot.float(), one_hot.argmax(1))))
    with pytest.raises(ValueError, match='several rows of the table, use isda_cross_entropy'):
        augment_logits(logits, one_hot.float(), torch.zeros(CLASSES, CLASSES), STRENGTH)


def test_the_default_base_loss_is_torchs_mean_for_probabilities():
    logits, p = torch.randn(2, CLASSES, 3, 4), probabilities(24, dtype=torch.float32).view(2, 3, 4, -1).movedim(-1, 1)
    assert torch.equal(MeanCrossEntropy()(logits, p, ignore_index=255), F.cross_entropy(logits, p))
