"""The GPU path on a GPU: equal to the CPU path, without synchronisation, with low peak memory."""

import copy

import pytest
import torch
from helpers.problems import KINDS
from torch import nn
from torch.nn.functional import cross_entropy
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core import isda_consistency, kernels
from isda_seg.core.ops.upsampled import resize
from isda_seg.criterion import ISDACriterion

pytestmark = pytest.mark.gpu

IGNORE = 255


def head(covariance='diagonal', resolution='label', images=True, **options):
    torch.manual_seed(0)
    model = nn.Module()
    model.classifier = nn.Conv2d(16, 5, 1) if images else nn.Linear(16, 5)
    model.loss = ISDACriterion(covariance, resolution, ignore_index=IGNORE, **options)
    model.loss.strength = 2.0
    return model


def batch(step, images=True):
    generator = torch.Generator().manual_seed(step)
    shape, size = ((2, 9, 9), (2, 65, 65)) if images else ((40,), (40,))
    features = torch.randn(shape[0], 16, *shape[1:], generator=generator)
    labels = torch.randint(5, size, generator=generator)
    labels.view(-1)[::7] = IGNORE
    return features, labels


def train(model, steps, device, images=True):
    """The loss and the weight's gradient of the last step, and the statistics."""
    model = copy.deepcopy(model).to(device)
    attach(model.loss, model.classifier, align_corners=True)
    for step in range(steps):
        features, labels = (part.to(device) for part in batch(step, images))
        model.zero_grad()
        logits = model.classifier(features)
        loss = model.loss(resize(logits, labels.shape[1:], True) if images else logits, labels)
        loss.backward()
    model.loss.raise_deferred_errors()
    return [part.detach().cpu() for part in (loss, model.classifier.weight.grad, *model.loss.statistics.moments)]


@pytest.fixture(autouse=True)
def full_precision_convolutions():
    before, torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.allow_tf32, False
    yield
    torch.backends.cudnn.allow_tf32 = before


@pytest.mark.parametrize('covariance', KINDS)
@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('images', [True, False])
def test_a_gpu_has_the_loss_gradients_and_statistics_of_a_cpu(covariance, resolution, images):
    model = head(covariance, resolution, images)
    assert_close(train(model, 3, 'cuda', images), train(model, 3, 'cpu', images), rtol=1e-3, atol=1e-5)
    assert kernels._failed == []


@pytest.mark.parametrize('options', [
    dict(base=nn.CrossEntropyLoss(torch.arange(1.0, 6.0), ignore_index=IGNORE)), dict(base=SoftmaxFocalLoss()),
    dict(base=nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=IGNORE)), dict(logit_adjustment=0.5),
    dict(background=1)])
@pytest.mark.parametrize('images', [True, False])
def test_a_gpu_has_the_results_of_a_cpu_with_every_kind_of_base_loss(options, images):
    model = head(images=images, **options)
    assert_close(train(model, 3, 'cuda', images), train(model, 3, 'cpu', images), rtol=1e-3, atol=1e-5)
    assert kernels._failed == []


@pytest.mark.parametrize('num_classes, dtype, channels_last', [
    (19, torch.float32, False), (150, torch.float32, False), (19, torch.float16, False), (19, torch.bfloat16, True),
    (150, torch.bfloat16, True)])
def test_kernels_have_the_results_of_pytorch_operators_and_repeat_bitwise(num_classes, dtype, channels_last,
                                                                          monkeypatch):
    def trained():
        torch.manual_seed(0)
        classifier, loss = nn.Conv2d(96, num_classes, 1).cuda(), ISDACriterion(ignore_index=IGNORE)
        loss.strength, found = 2.0, []
        attach(loss, classifier, align_corners=True)
        for step in range(4):
            generator = torch.Generator('cuda').manual_seed(step)
            features = torch.randn(2, 96, 33, 40, device='cuda', generator=generator).to(dtype)
            labels = torch.randint(num_classes, (2, 17, 20), device='cuda', generator=generator)
            labels = labels.repeat_interleave(15, 1).repeat_interleave(16, 2)
            labels[:, ::7] = IGNORE
            if channels_last:
                features = features.contiguous(memory_format=torch.channels_last)
            with torch.autocast('cuda', dtype, enabled=dtype != torch.float32):
                logits = resize(classifier(features), labels.shape[1:], True).to(dtype)
                logits.retain_grad()
                value = loss(logits, labels)
            classifier.zero_grad()
            (8 * value).backward()
            found += [value.detach(), logits.grad.float(), classifier.weight.grad.clone(), *loss.statistics.moments]
        loss.raise_deferred_errors()
        return found

    once, again = trained(), trained()
    assert kernels._failed == []
    assert all(torch.equal(a, b) for a, b in zip(once, again, strict=True))
    monkeypatch.setattr(kernels, 'DEVICES', set())
    exact = dtype == torch.float32
    assert_close(once, trained(), rtol=1e-4 if exact else 2e-2, atol=1e-6 if exact else 1e-4)


@pytest.mark.parametrize('covariance', ['diagonal', 'full'])
def test_a_training_step_does_not_synchronise(covariance):
    model = head(covariance).cuda()
    attach(model.loss, model.classifier, align_corners=True)
    batches = [[part.cuda() for part in batch(step)] for step in range(4)]
    try:
        for step, (features, labels) in enumerate(batches):
            logits = resize(model.classifier(features), labels.shape[1:], True)
            torch.cuda.set_sync_debug_mode('error' if step > 1 else 'default')
            (model.loss(logits, labels) + isda_consistency(
                logits[:, :, 0, 0], model.classifier.weight.flatten(1), model.loss.statistics.covariance,
                1.0)).backward()
            torch.cuda.set_sync_debug_mode('default')
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert int(model.loss.statistics.count.sum()) > 0


def test_the_peak_memory_of_the_loss_is_at_most_that_of_cross_entropy():
    features, labels = torch.randn(2, 512, 97, 97, device='cuda'), torch.randint(19, (2, 769, 769), device='cuda')
    classifier, loss = nn.Conv2d(512, 19, 1).cuda(), ISDACriterion()
    loss.strength = 2.0
    attach(loss, classifier, align_corners=True)
    logits = resize(classifier(features), (769, 769), True).detach().requires_grad_()

    def peak(function):
        for _ in range(3):  # the first calls compile, and compare a whole image
            logits.grad = None
            loss.capture(classifier, (features,))
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            function(logits, labels).backward()
            torch.cuda.synchronize()
            used = torch.cuda.max_memory_allocated() - before
        return used

    small = 4 * features.numel() * 3  # statistics work on copies of the features
    assert peak(loss) <= peak(cross_entropy) + small
