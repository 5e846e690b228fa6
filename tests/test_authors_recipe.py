"""The authors' segmentation recipe, compared step by step: statistics, loss, gradients and weights."""

import pytest
import reference
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.core import linear_ramp
from isda_seg.criterion import ISDACriterion

IMAGES, CLASSES, CHANNELS, IGNORE = 2, 4, 4, 255
UNSEEN = 3  # a class without one pixel
SMALL, LARGE = (5, 5), (33, 33)
STEPS, LAMBDA_0, RATE = 10, 7.5, 0.5
CLOSE = dict(rtol=1e-5, atol=1e-6)


class CapturedCrossEntropy(MeanCrossEntropy):
    """Keeps the augmented logits it gets."""

    def forward(self, logits, labels, ignore_index):
        self.logits = logits.detach()
        return super().forward(logits, labels, ignore_index)


class Net(nn.Module):
    """A layer that makes the features, dropout, the 1x1 classifier; the loss beside them."""

    def __init__(self, **kwargs):
        super().__init__()
        self.layer = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.classifier = nn.Conv2d(CHANNELS, CLASSES, 1)
        self.loss = ISDACriterion(covariance='diagonal', label_sampling='nearest', ignore_index=IGNORE, **kwargs)
        attach(self.loss, self.classifier, align_corners=True)

    def forward(self, images, kept):
        """The features as the classifier gets them, and the small logits."""
        features = torch.tanh(self.layer(images)) * kept
        return features, self.classifier(features)


def net(**kwargs):
    torch.manual_seed(0)
    return Net(**{'resolution': 'feature', **kwargs})


def batch(step):
    """Images, which of their features dropout keeps, and labels in blocks: three classes, a void strip, borders."""
    generator = torch.Generator().manual_seed(step)
    top, left = torch.randint(6, 27, (2, IMAGES), generator=generator).tolist()
    labels = torch.zeros(IMAGES, *LARGE, dtype=torch.int64)
    for label, i, j in zip(labels, top, left, strict=True):
        label[i:] = 1
        label[:, j:] = 2
        label[i - 4:i + 4, 10:24] = IGNORE
    images = torch.randn(IMAGES, 3, *SMALL, generator=generator)
    kept = torch.rand(IMAGES, CHANNELS, *SMALL, generator=generator) >= 0.1
    return images, kept / 0.9, labels


def zero_moments():
    return (torch.zeros(CLASSES, dtype=torch.int64), torch.zeros(CLASSES, CHANNELS, dtype=torch.float64),
            torch.zeros(CLASSES, CHANNELS, CHANNELS, dtype=torch.float64))


def step_of_package(model, optimizer, step):
    images, kept, labels = batch(step)
    model.loss.strength = linear_ramp(step, STEPS, LAMBDA_0)
    features, small = model(images, kept)
    features.retain_grad()
    loss = model.loss(F.interpolate(small, size=LARGE, mode='bilinear', align_corners=True), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach(), features.grad, model.classifier.weight.grad.clone()


def step_of_recipe(model, optimizer, step, before):
    """The same by the equations in float64; also the running moments after it."""
    images, kept, labels = batch(step)
    features, small = model(images.double(), kept.double())
    features.retain_grad()
    small_labels = reference.floor_nearest_labels(labels, SMALL)
    moments = reference.grid_moments(before, features, small_labels, IGNORE)
    logits = reference.recipe_logits(small, small_labels, model.classifier.weight.flatten(1),
                                     reference.diagonal(moments[2]), reference.linear_ramp(step, STEPS, LAMBDA_0),
                                     LARGE, IGNORE)
    loss = reference.pixel_cross_entropy(logits, labels, IGNORE)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return (loss.detach(), features.grad, model.classifier.weight.grad.clone()), moments


def parameters(model):
    return {name: parameter.detach().double() for name, parameter in model.named_parameters()}


def assert_close_doubles(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        assert_close(a.double(), e, **CLOSE)


def test_every_training_step_equals_the_authors_recipe():
    ours, literal = net(), net().double()
    optimizers = [torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9) for model in (ours, literal)]
    moments, start = zero_moments(), parameters(ours)
    for step in range(1, STEPS + 1):
        actual = step_of_package(ours, optimizers[0], step)
        expected, moments = step_of_recipe(literal, optimizers[1], step, moments)
        statistics = ours.loss.statistics
        assert torch.equal(statistics.count, moments[0])
        assert_close_doubles((statistics.mean, statistics.covariance), (moments[1], reference.diagonal(moments[2])))
        assert_close_doubles(actual, expected)
        assert_close_doubles(parameters(ours).values(), parameters(literal).values())
    assert (moments[0] > 0).tolist() == [label != UNSEEN for label in range(CLASSES)]
    assert all(float((parameters(ours)[name] - value).abs().max()) > 0.1 for name, value in start.items())


def raised_where(resolution):
    """How much the logit of each pixel's own class was raised: (B, H, W), 0 where the label is ignored."""
    base = CapturedCrossEntropy()
    model = net(base=base, resolution=resolution)
    images, kept, labels = batch(1)
    model.loss.strength = LAMBDA_0
    logits = F.interpolate(model(images, kept)[1], size=LARGE, mode='bilinear', align_corners=True)
    model.loss(logits, labels)
    own = labels.where(labels != IGNORE, 0)[:, None]
    raised = (base.logits - logits.detach()).gather(1, own)[:, 0]
    return raised.where(labels != IGNORE, 0), labels


def has_neighbour_of_another_class(labels):
    """Whether interpolation reaches a grid pixel of another class; (B, H, W), False where the label is ignored."""
    small = reference.floor_nearest_labels(labels, SMALL)
    other = torch.stack([(small != label) & (small != IGNORE) for label in range(CLASSES)], dim=1)
    reached = reference.bilinear_with_corners(other.double(), LARGE) > 0
    own = labels.where(labels != IGNORE, 0)[:, None]
    return reached.gather(1, own)[:, 0] & (labels != IGNORE)


def test_feature_resolution_raises_true_logits_only_at_class_borders():
    raised, labels = raised_where('feature')
    assert torch.equal(raised > 0, has_neighbour_of_another_class(labels))
    assert float(raised.max()) > 0.1
    assert 0.2 < float((raised > 0).sum() / (labels != IGNORE).sum()) < 0.8


def test_label_resolution_never_raises_the_true_logit():
    raised, _ = raised_where('label')
    assert torch.equal(raised, torch.zeros_like(raised))


@pytest.mark.parametrize('size', [(1, 1), (1, 6), (5, 5), (9, 4), (33, 17)])
def test_the_explicit_interpolation_equals_that_of_the_heads(size):
    maps = torch.randn(2, 3, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(maps, size=size, mode='bilinear', align_corners=True)
    assert_close(reference.bilinear_with_corners(maps, size), expected)
