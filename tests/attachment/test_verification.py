"""Properties of the verification that logits belong to the captured input, at every step."""
import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isda_seg.attach import attach
from isda_seg.attachment import verification
from isda_seg.attachment.captured_inputs import CapturedInput, classifier_input
from isda_seg.attachment.label_grid import neighbours_of
from isda_seg.core.ops import device
from isda_seg.core.ops.torch_versions import release
from isda_seg.core.ops.upsampled import resize
from isda_seg.criterion import ISDACriterion

CLASSES, CHANNELS = 3, 5
STALE = 'call the loss on the logits of the last forward pass'


def fit(steps=2, images=False, **kwargs):
    """A criterion that has seen some steps, and its classifier."""
    torch.manual_seed(0)
    classifier = nn.Conv2d(CHANNELS, CLASSES, 1) if images else nn.Linear(CHANNELS, CLASSES)
    criterion = ISDACriterion(**kwargs)
    criterion.strength = 1.0
    attach(criterion, classifier)
    for _ in range(steps):
        criterion(logits(classifier, features(images=images)), labels(images))
    return criterion, classifier


def features(offset=0.0, images=False):
    return offset + (torch.randn(2, CHANNELS, 4, 6) if images else torch.randn(9, CHANNELS))


def labels(images=False):
    return torch.arange(2 * 13 * 21).view(2, 13, 21) % CLASSES if images else torch.arange(9) % CLASSES


def logits(classifier, x, align_corners=False):
    z = classifier(x)
    return z if z.dim() == 2 else resize(z, (13, 21), align_corners)


def counted(criterion):
    return int(criterion.statistics.count.sum())


@pytest.fixture(params=[False, True], ids=['samples', 'images'])
def images(request):
    return request.param


@pytest.fixture(params=['cpu', 'accelerator'])
def error_of(request, monkeypatch):
    """The error of a step: at once on a CPU, deferred on an accelerator."""
    if request.param == 'accelerator':
        monkeypatch.setattr(device, 'CPU_TYPES', ())

    def refused(criterion, z, y):
        with pytest.raises(RuntimeError) as error:
            criterion(z, y)
            criterion.raise_deferred_errors()
        criterion.raise_deferred_errors()  # reported once
        return str(error.value)

    return refused


# -- another pass in between -------------------------------------------------------------------------------------------

def test_logits_of_an_earlier_pass_are_an_error(images, error_of):
    criterion, classifier = fit(images=images)
    z = logits(classifier, features(images=images))
    logits(classifier, features(50.0, images))
    assert STALE in error_of(criterion, z, labels(images))


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16, torch.float16])
def test_the_reported_error_is_relative_to_the_scale_in_every_precision(dtype, error_of):
    criterion, classifier = fit()
    x = features()[:1].expand(9, CHANNELS)  # one feature nine times, so that any position shows the same error
    right = classifier(x).detach()
    wrong = (right + torch.tensor([0.0, 4.0, 0.0])).to(dtype)
    scale = right.abs().max() + x[0].norm() * classifier.weight.detach().norm() / classifier.weight.numel() ** 0.5
    reported = float(re.search(r'error is ([\d.e+-]+) % of their scale', error_of(criterion, wrong, labels()))[1])
    assert reported == pytest.approx(100 * float((wrong.float() - right).abs().max() / scale), rel=5e-3)


def test_a_rejected_step_on_cpu_observes_nothing_and_the_next_counts(images):
    criterion, classifier = fit(images=images)
    before = counted(criterion)
    z = logits(classifier, features(images=images))
    logits(classifier, features(50.0, images))
    with pytest.raises(RuntimeError, match=STALE):
        criterion(z, labels(images))
    assert counted(criterion) == before
    criterion(logits(classifier, features(images=images)), labels(images))
    assert counted(criterion) == before * 3 // 2


def test_a_pass_without_gradients_in_between_changes_nothing(images):
    criterion, classifier = fit(images=images)
    x = features(images=images)
    z = logits(classifier, x)
    with torch.no_grad():
        logits(classifier, features(50.0, images))
    criterion(z, labels(images))
    assert float(criterion.statistics.mean.abs().max()) < 2


def test_a_loss_without_gradients_keeps_the_captured_input(images, error_of):
    criterion, classifier = fit(images=images)
    old, z = (logits(classifier, features(offset, images)) for offset in (0.0, 20.0))
    with torch.no_grad():
        criterion(z, labels(images))
    assert STALE in error_of(criterion, old, labels(images))
    criterion, classifier = fit(images=images)
    z = logits(classifier, features(images=images))
    with torch.no_grad():
        criterion(z, labels(images))
    before = counted(criterion)
    criterion(z, labels(images))
    criterion.raise_deferred_errors()
    assert counted(criterion) == before * 3 // 2


# -- evaluation --------------------------------------------------------------------------------------------------------

def test_a_model_in_eval_mode_is_not_observed_by_an_outer_criterion(images):
    criterion, classifier = fit(images=images)
    before = counted(criterion)
    classifier.eval()
    z = logits(classifier, features(9.0, images))
    loss = criterion(z, labels(images))
    assert torch.equal(loss, F.cross_entropy(z, labels(images), reduction='sum') / labels(images).numel())
    assert counted(criterion) == before
    classifier.train()
    with pytest.raises(RuntimeError, match='without a new forward pass'):
        criterion(z, labels(images))


# -- right logits pass -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(13, 21), (4, 6), (31, 41), (3, 5)])
def test_resized_logits_pass_at_every_position(align_corners, size):
    torch.manual_seed(0)
    classifier = nn.Conv2d(CHANNELS, CLASSES, 1)
    shake, record = verification.Verification(), CapturedInput.of(features(images=True), classifier)
    z = resize(classifier(record.features), size, align_corners)
    for step in range(49):  # a whole image, then as many positions as there are features
        shake.check(record, z, align_corners)
        sample = verification._one_position(record, z, align_corners, step + 1)
        assert float(sample.excess(record.weight, 1e-5).detach()) < 1


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_rounding_to_half_precision_passes_at_every_position_of_many_steps(dtype):
    if dtype == torch.float16 and release(torch.__version__) == (2, 1):
        pytest.skip('torch 2.1 has no autocast to float16 on a CPU')
    torch.manual_seed(0)
    classifier, shake = nn.Conv2d(64, 2, 1), verification.Verification()
    for _ in range(300):
        record = CapturedInput.of(torch.randn(1, 64, 4, 6).relu(), classifier)
        with torch.no_grad(), torch.autocast('cpu', dtype=dtype):
            shake.check(record, resize(classifier(record.features), (13, 21), False), False)
    assert (shake.step, shake.verified) == (300, True)


@pytest.mark.parametrize('kernel', [1, 3])
@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('small, large', [(12, 36), (24, 120), (7, 49), (23, 69), (10, 90), (5, 129)])
def test_a_zero_feature_next_to_a_large_one_passes_at_every_position(small, large, align_corners, kernel):
    torch.manual_seed(0)
    classifier = nn.Conv2d(CHANNELS, CLASSES, kernel, bias=False)
    x = 100 * torch.randn(1, CHANNELS, small + kernel - 1, small + kernel - 1)
    x[..., ::2, :] = 0
    x[..., ::2] = 0
    record = CapturedInput.of(classifier_input(classifier, x, (1, CLASSES, large, large)), classifier)
    z, shake = resize(classifier(x), (large, large), align_corners), verification.Verification()
    for _ in range(small ** 2 + 1):
        shake.check(record, z, align_corners)
    assert (shake.step, shake.verified) == (small ** 2 + 1, True)


@pytest.mark.parametrize('images', [False, True])
def test_bfloat16_with_large_means_and_cancelling_weights_passes(images):
    for seed in range(20):
        torch.manual_seed(seed)
        classifier = nn.Conv2d(64, CLASSES, 1) if images else nn.Linear(64, CLASSES)
        with torch.no_grad():
            weight = classifier.weight.flatten(1)
            weight -= weight.mean(dim=1, keepdim=True)
            classifier.weight.copy_(weight.view_as(classifier.weight))
        x = 300 + torch.randn(2, 64, 4, 6) if images else 300 + torch.randn(9, 64)
        record, shake = CapturedInput.of(x, classifier), verification.Verification()
        with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
            z = logits(classifier, x)
        for _ in range(4):
            shake.check(record, z, False)
        assert (shake.step, shake.verified) == (4, True)
        with pytest.raises(RuntimeError):  # a mismatch is still found at the first step
            verification.Verification().check(record, z + 3 * torch.eye(CLASSES)[0].view(
                (1, -1, 1, 1) if images else (1, -1)) * float(verification.typical_logit(x.movedim(1, 0).flatten(1),
                                                                                        record.weight)), False)


@pytest.mark.parametrize('classes', [3, 19])
@pytest.mark.parametrize('rows', [slice(None), slice(1)], ids=['all classes', 'one class'])
def test_bfloat16_with_large_columns_that_cancel_passes(rows, classes, images):
    torch.manual_seed(0)
    classifier = nn.Conv2d(2048, classes, 1) if images else nn.Linear(2048, classes)
    with torch.no_grad():
        classifier.weight.view(classes, -1)[rows, :2] = torch.tensor([100.24, -100.26])
    shake = verification.Verification()
    for _ in range(4):
        x = torch.randn(2, 2048, 4, 6) if images else torch.randn(9, 2048)
        x[:, :2] += 1000
        with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
            z = logits(classifier, x)
        shake.check(CapturedInput.of(x, classifier), z, False)
    assert (shake.step, shake.verified) == (4, True)


@pytest.mark.parametrize('size, factor', [
    ((5, 5), 1.5), ((31, 13), 1.5), ((9, 7), 0.5), ((9, 10), 1.7), ((10, 11), 1 / 3), ((7,), 2.5), ((3, 5, 5), 1.5)])
def test_logits_resized_by_a_scale_factor_pass_unless_stale(size, factor, error_of):
    torch.manual_seed(0)
    kind, mode = ((nn.Conv1d, 'linear'), (nn.Conv2d, 'bilinear'), (nn.Conv3d, 'trilinear'))[len(size) - 1]
    classifier, criterion = kind(CHANNELS, CLASSES, 1), ISDACriterion()
    criterion.strength = 1.0
    attach(criterion, classifier)

    def resized():
        return F.interpolate(classifier(torch.randn(2, CHANNELS, *size)), scale_factor=factor, mode=mode)

    for _ in range(30):
        z = resized()
        y = torch.randint(CLASSES, (2, *z.shape[2:]))
        criterion(z, y)
    criterion.raise_deferred_errors()
    assert counted(criterion) == 30 * 2 * math.prod(size)
    z = resized()
    classifier(50 + torch.randn(2, CHANNELS, *size))
    assert STALE in error_of(criterion, z, y)


@pytest.mark.parametrize('steps', [0, 2])
@pytest.mark.parametrize('kinds', [('cpu',), ()], ids=['cpu', 'accelerator'])
def test_a_step_whose_logits_overflow_half_precision_is_not_refused(images, kinds, steps, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', kinds)
    criterion, classifier = fit(steps, images)
    before = 0 if steps == 0 else counted(criterion)
    z = logits(classifier, features(images=images))
    criterion(z * torch.inf, labels(images))  # a GradScaler skips this step
    criterion.raise_deferred_errors()
    assert counted(criterion) > before


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('small, large', [(4, 13), (6, 21), (5, 33), (1, 7), (7, 3), (9, 9)])
def test_the_source_of_a_row_is_that_of_interpolate(small, large, align_corners):
    values = torch.randn(1, 1, small, dtype=torch.float64)
    expected = F.interpolate(values, size=large, mode='linear', align_corners=align_corners)[0, 0]
    for index in range(large):
        first, second, share = neighbours_of(index, small, large, align_corners)
        assert float(torch.lerp(values[0, 0, first], values[0, 0, second], share)) == pytest.approx(
            float(expected[index]), abs=1e-6)


def test_deferred_errors_are_raised_in_time_before_the_observation(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    monkeypatch.setattr('isda_seg.criterion.CHECK_EVERY', 8)
    criterion, classifier = fit()
    criterion.raise_deferred_errors()
    z = classifier(features())
    classifier(features(50.0))
    criterion(z, labels())
    for _ in range(6):
        criterion(classifier(features()), labels())
    before = counted(criterion)
    with pytest.raises(RuntimeError, match=STALE):
        criterion(classifier(features()), labels())
    assert counted(criterion) == before
    criterion(classifier(features()), labels())  # reported once


def test_raise_at_once_raises_before_the_observation(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    criterion, classifier = fit()
    criterion.raise_at_once = True
    before = counted(criterion)
    z = classifier(features())
    classifier(features(50.0))
    with pytest.raises(RuntimeError, match=STALE):
        criterion(z, labels())
    with pytest.raises(ValueError, match='labels such as 5 and 7 are neither'):
        criterion(classifier(features()), labels() + 5)
    assert counted(criterion) == before
