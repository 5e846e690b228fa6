"""Kernels under Triton's interpreter: values of float64 loops, in every dtype and layout, the same bits every time."""
import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.interpreter import kernels_on_a_cpu
from torch.testing import assert_close

from isda_seg.core import class_moments, isda_cross_entropy, margin_variance
from isda_seg.core.averaging import Averaging
from isda_seg.core.kernels import kernels_of
from isda_seg.core.kernels.splits import moments_of, parts_of
from isda_seg.core.moments import empty_moments, merge
from isda_seg.core.prior import log_prior

pytestmark = pytest.mark.triton

IGNORE = 255


@pytest.fixture
def kernels():
    torch.use_deterministic_algorithms(True)  # fills results with NaN before a kernel writes them
    with kernels_on_a_cpu():
        yield kernels_of(torch.empty(1, 2, 3, 3))
    torch.use_deterministic_algorithms(False)


def coarse(classes, images, height, width, generator):
    """Labels in blocks of 4 x 4 pixels, as images have them; a tenth is ignored."""
    labels = torch.randint(classes, (images, -(-height // 4), -(-width // 4)), generator=generator)
    labels = labels.repeat_interleave(4, 1).repeat_interleave(4, 2)[:, :height, :width].contiguous()
    labels[torch.rand(labels.shape, generator=generator) < 0.1] = IGNORE
    return labels


def problem(classes=5, size=(9, 11), dtype=torch.float32, channels_last=False, seed=0):
    """Logits (N, C, P), labels (N, P) and rows (C, C)."""
    generator = torch.Generator().manual_seed(seed)
    logits = (3 * torch.randn(2, classes, *size, generator=generator)).to(dtype)
    if channels_last:
        logits = logits.contiguous(memory_format=torch.channels_last)
    labels = coarse(classes, 2, *size, generator).flatten(1)
    rows = torch.rand(classes, classes, generator=generator)
    return logits.flatten(2).requires_grad_(), labels, rows.requires_grad_()


def literal(logits, labels, rows):
    """The summed loss in float64."""
    labels = torch.where((labels >= 0) & (labels < len(rows)), labels.long(), -100)
    augmented = logits.double() + rows.double()[labels.clamp(min=0)].movedim(-1, 1)
    return F.cross_entropy(augmented, labels, reduction='sum')


def averaged(kernels, logits, labels, rows, averaging=None):
    return kernels.map_cross_entropy(logits, labels, rows, kernels.setting_of(logits, IGNORE, averaging or Averaging()))


def relative(found, expected):
    found, expected = found.detach(), expected.detach()
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max().clamp(min=1e-30))


@pytest.mark.parametrize('classes', [2, 5, pytest.param(19, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize('channels_last', [False, True])
def test_loss_and_gradients_equal_a_float64_loop(kernels, classes, channels_last):
    logits, labels, rows = problem(classes, channels_last=channels_last)
    found = averaged(kernels, logits, labels, rows, Averaging(factor=0.4))
    expected = 0.4 * literal(logits, labels, rows) / (labels != IGNORE).sum()
    assert relative(found, expected) < 2e-7
    pairs = zip(torch.autograd.grad(3 * found, (logits, rows)), torch.autograd.grad(3 * expected, (logits, rows)),
                (logits, rows), strict=True)
    for got, wanted, leaf in pairs:
        assert relative(got, wanted) < 5e-7
        assert got.stride() == leaf.stride()


AVERAGINGS = {
    'class weights': Averaging(7, 0.4, torch.tensor([1.0, 4.0, 0.0, 2.0, 0.5])),
    'divided by class weights': Averaging(class_weight=torch.tensor([1.0, 4.0, 0.0, 2.0, 0.5]), by_weight=True),
    'focal': Averaging(gamma=2.0), 'focal with class weights': Averaging(None, 3.0, torch.arange(1.0, 6.0), gamma=0.5)}


@pytest.mark.parametrize('mean', AVERAGINGS.values(), ids=AVERAGINGS)
def test_weighted_losses_equal_a_float64_loop_up_to_the_second_derivative(kernels, mean):
    logits, labels, rows = problem(size=(5, 6))
    with torch.no_grad():
        logits[:, :, ::3] *= 8  # cross-entropies near 0
    labels[0, 0] = 77

    def exact():
        counts = (labels >= 0) & (labels < 5)
        augmented = logits.double() + rows.double()[labels.clamp(max=4)].movedim(-1, 1)
        entropy = F.cross_entropy(augmented, labels.clamp(max=4), reduction='none')[counts]
        weight = torch.ones(5) if mean.class_weight is None else mean.class_weight
        weight = weight.double()[labels[counts]]
        divisor = mean.number or (weight.sum() if mean.by_weight else counts.sum())
        factor = (-torch.expm1(-entropy)).clamp(min=1e-30) ** mean.gamma
        return mean.factor * (weight * factor * entropy).sum() / divisor

    found = averaged(kernels, logits, labels, rows, mean)
    assert relative(found, exact()) < 2e-7
    for got, wanted in zip(torch.autograd.grad(3 * found, (logits, rows)),
                           torch.autograd.grad(3 * exact(), (logits, rows)), strict=True):
        assert relative(got, wanted) < 5e-7
    seconds = [torch.autograd.grad(torch.autograd.grad(each, logits, create_graph=True)[0].square().sum(),
                                   (logits, rows)) for each in (averaged(kernels, logits, labels, rows, mean), exact())]
    assert_close(*seconds, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize('dtype, channels_last', [(torch.float32, True), (torch.bfloat16, False)])
def test_added_rows_and_their_gradients_equal_those_of_indexing(kernels, dtype, channels_last):
    logits, labels, rows = problem(dtype=dtype, channels_last=channels_last)
    labels[0, 0] = 77
    setting = kernels.setting_of(logits, IGNORE, Averaging())
    augmented, clean = kernels.add_rows(logits, labels, rows, setting)
    counts = labels < 5
    expected = logits.float() + (rows[labels.clamp(max=4)] * counts[..., None]).movedim(-1, 1)
    assert torch.equal(augmented, expected) and augmented.stride() == logits.stride()
    assert torch.equal(clean, torch.where(counts, labels, IGNORE)) and setting.watch.extremes.tolist() == [77, 77]
    direction = torch.randn(augmented.shape, generator=torch.Generator().manual_seed(3))
    found, wanted = (torch.autograd.grad(each, (logits, rows), direction) for each in (augmented, expected))
    assert torch.equal(found[0], wanted[0])
    assert relative(found[1], wanted[1]) < 5e-7


def test_added_rows_have_second_derivatives(kernels):
    logits, labels, rows = problem(size=(5, 6))

    def second(augmented):
        first, = torch.autograd.grad(augmented.sin().sum(), rows, create_graph=True)
        return torch.autograd.grad(first.square().sum(), (logits, rows))

    expected = logits + (rows[labels.clamp(max=4)] * (labels < 5)[..., None]).movedim(-1, 1)
    assert_close(second(kernels.add_rows(logits, labels, rows, kernels.setting_of(logits, IGNORE, Averaging()))[0]),
                 second(expected), rtol=1e-4, atol=1e-6)


@pytest.mark.exhaustive
def test_150_classes_have_the_loss_and_gradients_of_a_float64_loop(kernels):
    logits, labels, rows = problem(150, size=(5, 7), channels_last=True)
    found, expected = averaged(kernels, logits, labels, rows, Averaging(7)), literal(logits, labels, rows) / 7
    assert relative(found, expected) < 2e-7
    for got, wanted in zip(torch.autograd.grad(found, (logits, rows)), torch.autograd.grad(expected, (logits, rows)),
                           strict=True):
        assert relative(got, wanted) < 5e-7


@pytest.mark.parametrize('dtype, ulp', [(torch.float16, 2 ** -10), (torch.bfloat16, 2 ** -7)])
def test_half_precision_has_the_float32_loss_and_rounds_the_gradient_once(kernels, dtype, ulp):
    logits, labels, rows = problem(dtype=dtype)
    found = averaged(kernels, logits, labels, rows)
    expected = literal(logits, labels, rows) / (labels != IGNORE).sum()
    assert found.dtype == torch.float32 and relative(found, expected) < 2e-7
    scale = 2.0 ** 14  # as a GradScaler's: applied before the gradient is rounded
    got, = torch.autograd.grad(scale * found, logits)
    wanted, = torch.autograd.grad(scale * expected, logits)
    assert got.dtype == dtype
    assert float(((got.float() - wanted.float()).abs() / wanted.float().abs().clamp(min=1e-3)).max()) <= ulp


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32])
def test_labels_of_every_integer_type_have_the_bits_of_int64(kernels, dtype):
    logits, labels, rows = problem()
    found = [averaged(kernels, logits, each, rows) for each in (labels, labels.to(dtype))]
    assert torch.equal(*found)


def test_labels_that_are_no_class_are_ignored_and_noted(kernels):
    logits, labels, rows = problem()
    labels[0, :3] = torch.tensor([-7, 9, 2 ** 40])  # beyond int32
    setting = kernels.setting_of(logits, IGNORE, Averaging(1))
    found = kernels.map_cross_entropy(logits, labels, rows, setting)
    assert relative(found, literal(logits, labels, rows)) < 2e-7
    assert setting.watch.extremes.tolist() == [-7, 2 ** 31 - 1]


@pytest.mark.parametrize('logits, weight', [
    (torch.zeros(0, 5, 3, 3), torch.zeros(5, 4)), (torch.zeros(1, 5, 3, 3), torch.zeros(5, 4, dtype=torch.float64)),
    (torch.zeros(1, 300, 3, 3), torch.zeros(300, 4))], ids=['no image', 'float64', '300 classes'])
def test_operators_of_pytorch_compute_what_kernels_do_not(kernels, logits, weight):
    assert kernels_of(logits, weight) is None
    labels = torch.zeros(len(logits), 3, 3, dtype=torch.int64)
    loss = isda_cross_entropy(logits.requires_grad_(), labels, weight, torch.ones_like(weight), 1.0)
    loss.backward()
    assert_close(loss.detach().float(), torch.tensor(float(weight.shape[0])).log() * (len(logits) > 0))


def test_only_ignored_labels_give_loss_and_gradients_0(kernels):
    logits, labels, rows = problem()
    loss = averaged(kernels, logits, torch.full_like(labels, IGNORE), rows)
    gradients = torch.autograd.grad(loss, (logits, rows))
    assert float(loss.detach()) == 0 and [int(each.count_nonzero()) for each in gradients] == [0, 0]


def test_results_repeat_bitwise(kernels):
    def once():
        logits, labels, rows = problem()
        loss = averaged(kernels, logits, labels, rows)
        return loss, *torch.autograd.grad(loss, (logits, rows))

    assert all(torch.equal(a, b) for a, b in zip(once(), once(), strict=True))


def test_second_derivatives_equal_those_of_a_float64_loop(kernels):
    logits, labels, rows = problem(size=(5, 5))

    def second(loss):
        first, = torch.autograd.grad(loss, logits, create_graph=True)
        return torch.autograd.grad(first.square().sum(), (logits, rows))

    assert_close(second(averaged(kernels, logits, labels, rows, Averaging(3))),
                 second(literal(logits, labels, rows) / 3), rtol=1e-4, atol=1e-6)


def test_labels_of_a_small_type_have_the_second_derivative_of_int64(kernels):
    torch.manual_seed(0)
    logits = torch.randn(1, 256, 6, requires_grad=True)
    labels, rows = torch.tensor([[0, 44, 200, 255, 7, 9]]), torch.rand(256, 256)
    setting = kernels.setting_of(logits, -100, Averaging())
    first = [torch.autograd.grad(kernels.map_cross_entropy(logits, each, rows, setting), logits, create_graph=True)[0]
             for each in (labels, labels.to(torch.uint8))]
    assert torch.equal(*first) and int(first[0].count_nonzero()) == 6 * 256


def test_the_small_comparison_does_not_depend_on_the_default_dtype(kernels):
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert kernels.compare_small(torch.device('cpu'), torch.float32, False) is None
        assert kernels.Watch(torch.device('cpu')).worst.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)


def test_labels_changed_before_the_backward_pass_are_an_error(kernels):
    logits, labels, rows = problem()
    loss = averaged(kernels, logits, labels, rows)
    labels.zero_()
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        loss.backward()


def split(kernels, features, labels, classes):
    index = torch.where(labels == IGNORE, classes, labels).int()
    return kernels.operators.split_moments(features, index, classes)


def batch(step, classes=5, channels=40, offset=0.0, channels_last=False):
    generator = torch.Generator().manual_seed(step)
    features = torch.randn(2, channels, 9, 10, generator=generator) + offset
    if channels_last:
        features = features.contiguous(memory_format=torch.channels_last)
    return features, coarse(classes, 2, 9, 10, generator)


@pytest.mark.parametrize('offset, channels_last', [(0.0, False), (1000.0, False), (0.0, True)])
def test_running_moments_equal_those_of_all_batches_in_float64(kernels, offset, channels_last):
    weight = torch.randn(5, 40, generator=torch.Generator().manual_seed(9), requires_grad=True)
    running = empty_moments(5, 40, 'diagonal')
    running = running._replace(mean=running.mean.double())
    batches = [batch(step, offset=offset, channels_last=channels_last) for step in range(3)]
    for features, labels in batches:
        rows, running = kernels.merged_table(weight, split(kernels, features, labels, 5), running, 1.6, 0.5)
    expected = merge(*(class_moments(features.double(), labels, 5, ignore_index=IGNORE)
                       for features, labels in batches))
    assert torch.equal(running.count, expected.count)
    assert relative(running.mean, expected.mean) < 3e-7
    assert relative(running.covariance, expected.covariance) < 3e-7
    table = 0.8 * reference.margin_variance(weight.detach().double(), running.covariance.double())
    wanted = table + 0.5 * log_prior(expected.count).double()
    assert relative(rows, wanted) < 5e-7


def test_the_table_has_the_weight_gradient_of_a_float64_loop(kernels):
    features, labels = batch(0)
    weight = torch.randn(5, 40, generator=torch.Generator().manual_seed(9), requires_grad=True)
    nothing = empty_moments(5, 40, 'diagonal')
    rows, moments = kernels.merged_table(weight, split(kernels, features, labels, 5), nothing, 1.6, 0.0)
    direction = torch.randn(5, 5, generator=torch.Generator().manual_seed(3))
    got, = torch.autograd.grad(rows, weight, direction)
    table = 0.8 * margin_variance(weight.double(), moments.covariance.double())
    wanted, = torch.autograd.grad(table, weight, direction.double())
    assert relative(got, wanted) < 5e-7


def test_a_class_without_samples_keeps_its_moments_bitwise(kernels):
    features, labels = batch(0)
    labels[labels == 2] = 1
    weight, nothing = torch.randn(5, 40), empty_moments(5, 40, 'diagonal')
    before = nothing._replace(count=nothing.count + 3, mean=torch.randn(5, 40), covariance=torch.rand(5, 40))
    _, after = kernels.merged_table(weight, split(kernels, features, labels, 5), before, 1.0, 0.0)
    assert [torch.equal(a[2], b[2]) for a, b in zip(before, after, strict=True)] == [True, True, True]
    assert not torch.equal(before.mean[1], after.mean[1])


def samples(seed=0, number=10, classes=37, channels=70, offset=0.0):
    """Features, labels, logits and weight of samples; a class twice, a label ignored, moments seen before."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (number, ), generator=generator)
    labels[:4] = torch.tensor([3, 3, IGNORE, 3])
    features = torch.randn(number, channels, generator=generator) + offset
    logits = torch.randn(number, classes, generator=generator, requires_grad=True)
    return features, labels, logits, torch.randn(classes, channels, generator=generator, requires_grad=True)


def seen_before(covariance, classes=37, channels=70):
    moments = empty_moments(classes, channels, covariance)
    return moments._replace(mean=moments.mean.double())


@pytest.mark.parametrize('covariance, offset', [('diagonal', 0.0), ('diagonal', 1000.0), ('full', 0.0),
                                                ('full', 1000.0)])
def test_samples_update_the_moments_of_their_classes_in_place(kernels, covariance, offset):
    moments = seen_before(covariance)
    batches = [samples(seed, offset=offset) for seed in range(2)]
    for features, labels, *_ in batches:
        index = torch.where(labels == IGNORE, 37, labels).int()
        if covariance == 'full':
            kernels.sample_operators.update_full(features, index, *moments)
        kernels.sample_operators.update(features, index, *moments)
        kernels.sample_operators.count_samples(index, moments.count)
    expected = merge(*(class_moments(features.double(), labels, 37, covariance=covariance, ignore_index=IGNORE)
                       for features, labels, *_ in batches))
    assert torch.equal(moments.count, expected.count)
    assert relative(moments.mean, expected.mean) < 3e-7
    assert relative(moments.covariance, expected.covariance) < 3e-7


def matrices(covariance):
    """Random variances (37, 70), or positive definite matrices (37, 70, 70)."""
    generator = torch.Generator().manual_seed(8)
    if covariance == 'diagonal':
        return torch.rand(37, 70, generator=generator)
    factors = torch.randn(37, 70, 70, generator=generator) / 32
    return factors @ factors.mT


@pytest.mark.parametrize('covariance', ['diagonal', 'full'])
def test_samples_equal_a_float64_loop_up_to_the_second_derivative(kernels, covariance):
    _, labels, logits, weight = samples()
    sigma = matrices(covariance)
    index, count = torch.where(labels == IGNORE, 37, labels).int(), torch.zeros(37, dtype=torch.int64)

    def loss():
        rows = kernels.sample_rows(weight, index, count, sigma, 0.4)
        setting = kernels.setting_of(logits, IGNORE, Averaging(factor=2.0))
        return kernels.sample_cross_entropy(logits, labels, rows, setting)

    def exact():
        return 2 * reference.isda_cross_entropy(logits.double(), labels, weight.double(), sigma.double(), 0.4,
                                                ignore_index=IGNORE).mean()

    assert relative(loss(), exact()) < 2e-7
    for got, wanted in zip(torch.autograd.grad(3 * loss(), (logits, weight)),
                           torch.autograd.grad(3 * exact(), (logits, weight)), strict=True):
        assert relative(got, wanted) < 5e-7
    seconds = [torch.autograd.grad(torch.autograd.grad(each(), weight, create_graph=True)[0].square().sum(),
                                   (logits, weight)) for each in (loss, exact)]
    assert_close(*seconds, rtol=1e-4, atol=1e-6)


def test_a_second_derivative_after_the_next_observation_is_an_error(kernels):
    _, labels, logits, weight = samples()
    index, sigma = torch.where(labels == IGNORE, 37, labels).int(), matrices('full')
    rows = kernels.sample_rows(weight, index, None, sigma, 0.4)
    sigma.zero_()
    with pytest.raises(RuntimeError, match='a later observation has changed it'):
        torch.autograd.grad(rows.sum(), weight, create_graph=True)


def test_splits_of_a_batch_give_its_moments_for_the_exchange_between_ranks(kernels):
    features, labels = batch(0, offset=1000.0)
    parts = split(kernels, features, labels, 5)
    found = moments_of(parts)
    expected = class_moments(features.double(), labels, 5, ignore_index=IGNORE)
    assert torch.equal(found.count, expected.count)
    assert relative(found.mean, expected.mean) < 3e-7 and relative(found.covariance, expected.covariance) < 3e-7
    again = moments_of(parts_of(found))
    assert_close(again, found)
