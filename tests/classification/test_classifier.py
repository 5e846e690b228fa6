"""ImageClassifier: its ISDA loss is Eq. 7 of the input of fc; similar heads train equally."""
import copy

import pytest
import reference
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS, DefaultScope
from torch import nn
from torch.testing import assert_close

import isda_seg.classification  # noqa: F401  registers the classifier
from isda_seg.attach import attach
from isda_seg.classification import ImageClassifier
from isda_seg.losses import ISDALoss
from isda_seg.openmmlab.pairs import find_pairs

CLASSES, SIZE = 5, 16
BACKBONE = dict(type='ResNetCifar', depth=8)
LOSS = dict(type='ISDALoss', lambda_0=0.5, covariance='full')


@MODELS.register_module()
class TwoMaps(nn.Module):
    """A backbone that says nothing about its channels and returns two maps."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 7, 3)

    def forward(self, images):
        return images, self.conv(images)


def classifier(loss=LOSS, strength=0.5, **keys):
    torch.manual_seed(0)
    model = ImageClassifier(BACKBONE, CLASSES, loss, **keys)
    for pair in find_pairs(model):
        attach(pair.loss, pair.classifier)
        pair.loss.strength = strength
    return model.train()


def batch(count=24, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, SIZE, SIZE, generator=generator), torch.randint(CLASSES, (count,), generator=generator)


def features_and_loss(model, images, labels):
    """What entered fc, and the losses."""
    entered = []
    hook = model.fc.register_forward_pre_hook(lambda module, inputs: entered.append(inputs[0]))
    losses = model(images, labels, mode='loss')
    hook.remove()
    return entered[0], losses


def test_the_loss_is_eq_7_with_full_covariances_over_two_steps():
    model, before = classifier(), None
    for seed in (1, 2):
        images, labels = batch(seed=seed)
        features, losses = features_and_loss(model, images, labels)
        moments = reference.batch_moments(features, labels, CLASSES)
        before = moments if before is None else reference.running_moments(before, moments)
        weight, bias = (parameter.detach().double().requires_grad_() for parameter in model.fc.parameters())
        logits = F.linear(features.detach().double(), weight, bias)
        expected = reference.isda_cross_entropy(logits, labels, weight, before[2], 0.5).mean()
        assert_close(losses['loss'].double(), expected.detach(), rtol=1e-5, atol=1e-6)
        grads = torch.autograd.grad(losses['loss'], list(model.fc.parameters()))
        for found, wanted in zip(grads, torch.autograd.grad(expected, (weight, bias)), strict=True):
            assert_close(found.double(), wanted, rtol=1e-4, atol=1e-6)
        assert_close(losses['accuracy'].double(), 100 * (logits.argmax(1) == labels).double().mean())
    assert torch.equal(model.loss.statistics.count, before[0])


def test_strength_0_is_bitwise_the_plain_classifier():
    isda, plain = classifier(strength=0.0), classifier(loss=None)
    images, labels = batch()
    for model in (isda, plain):
        model(images, labels, mode='loss')['loss'].backward()
    pairs = list(zip(isda.parameters(), plain.parameters(), strict=True))
    assert len(pairs) > 20 and all(torch.equal(a.grad, b.grad) for a, b in pairs)
    assert not any('loss' in key for key in plain.state_dict())


def test_each_mode_returns_its_documented_result():
    model = classifier().eval()
    images, labels = batch(4)
    logits = model(images)
    (sample,) = model(images, labels, mode='predict')
    assert logits.shape == (4, CLASSES) and torch.equal(sample['logits'], logits)
    assert sample['labels'] is labels
    assert_close(logits, model.fc(model.backbone(images)[-1].mean((2, 3))))
    assert int(model.loss.statistics.count.sum()) == 0


@pytest.mark.parametrize('backbone, channels', [
    (BACKBONE, 64), (dict(type='TwoMaps'), 7),
    (dict(type='mmseg.MobileNetV2', widen_factor=0.25, out_indices=(6,)), 80),  # which returns no tuple of one map
    (dict(type='mmseg.ResNet', depth=18, base_channels=8, stem_channels=8, out_indices=(3,)), 64)])
def test_the_channels_are_those_of_the_backbones_last_map(backbone, channels):
    model = ImageClassifier(backbone, CLASSES)
    assert model.fc.in_features == channels
    assert all(module.training for module in model.backbone.modules())
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    assert all(int(norm.num_batches_tracked) == 0 for norm in norms)
    assert ImageClassifier(dict(type='TwoMaps'), CLASSES, channels=9).fc.in_features == 9


def test_copy_has_separate_statistics():
    model = classifier()
    twin = copy.deepcopy(model)
    twin(*batch(), mode='loss')
    assert (int(model.loss.statistics.count.sum()), int(twin.loss.statistics.count.sum())) == (0, 24)


class LinearHead(nn.Module):
    """The structure of MMPretrain's LinearClsHead: ``fc`` and ``loss_module`` held by the head, features in a tuple.

    Its cross-entropy, as MMSegmentation's, takes the ``avg_factor`` that the head gives.
    """

    def __init__(self, num_classes, in_channels, loss):
        super().__init__()
        self.num_classes = num_classes
        self.loss_module = ISDALoss(**loss, base=dict(type='mmseg.CrossEntropyLoss'))
        self.fc = nn.Linear(in_channels, num_classes)

    def loss(self, feats, target):
        logits = self.fc(feats[-1])
        return dict(loss=self.loss_module(logits, target, avg_factor=logits.size(0)))


def assert_trains_as_eq_7(model, head, run):
    """The head's loss is found, attached and Eq. 7 of what enters its fc."""
    (pair,) = find_pairs(model)
    assert (pair.head, pair.classifier, pair.loss) == (head, head.fc, head.loss_module)
    attach(pair.loss, pair.classifier)
    pair.loss.strength = 0.5
    torch.manual_seed(0)
    features, labels = torch.randn(16, head.fc.in_features), torch.randint(CLASSES, (16,))
    found = run(features, labels)['loss']
    covariance = reference.batch_moments(features, labels, CLASSES)[2]
    weight, bias = (parameter.detach().double() for parameter in head.fc.parameters())
    logits = F.linear(features.double(), weight, bias)
    expected = reference.isda_cross_entropy(logits, labels, weight, covariance, 0.5).mean()
    assert_close(found.detach().double(), expected, rtol=1e-5, atol=1e-6)


def test_classifier_of_an_mmpretrain_style_head_is_found():
    head = LinearHead(CLASSES, 6, dict(lambda_0=0.5, covariance='full'))
    model = nn.ModuleDict(dict(backbone=nn.Linear(6, CLASSES), head=head)).train()
    assert_trains_as_eq_7(model, head, lambda features, labels: head.loss((features,), labels))


@pytest.mark.mmpretrain
def test_mmpretrain_head_trains_with_isda():
    from mmpretrain.models import LinearClsHead
    from mmpretrain.structures import DataSample
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        head = LinearClsHead(CLASSES, 6, loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full'))
    model = nn.ModuleDict(dict(head=head)).train()

    def run(features, labels):
        return head.loss((features,), [DataSample().set_gt_label(int(label)) for label in labels])

    assert_trains_as_eq_7(model, head, run)
