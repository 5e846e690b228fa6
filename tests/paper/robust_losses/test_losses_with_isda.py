"""Robust losses in an image classifier, alone and with ISDA."""
import copy

import pytest
import torch
from torch.testing import assert_close

import isda_seg.hooks  # noqa: F401  registers ISDALoss
import isda_seg.paper.robust_losses  # noqa: F401  registers its losses
from isda_seg.attach import attach
from isda_seg.classification import ImageClassifier
from isda_seg.classification.classifier import named
from isda_seg.core import ClassStatistics, augment_logits, margin_variance
from isda_seg.losses import ISDALoss, wrap_with_isda
from isda_seg.openmmlab.pairs import find_pairs
from isda_seg.openmmlab.wrapping import wrap_losses

CLASSES, SIZE, IMAGES = 4, 8, 16
BACKBONE = dict(type='ResNetCifar', depth=8)
CENTER, NET = dict(type='CenterLoss', weight=0.5), dict(type='DistributionNetLoss', map_size=2)
BASES = {'large_margin': dict(type='LargeMarginLoss', margin=3, start=1.0),
         'disturb_label': dict(type='DisturbLabelLoss', alpha=0.5), 'lq': dict(type='LqLoss', q=0.4),
         'focal': dict(type='isda_seg.losses.SoftmaxFocalLoss', gamma=1.0, loss_weight=0.5),
         'label_smoothing': dict(type='torch.nn.CrossEntropyLoss', label_smoothing=0.1)}


def classifier(loss=None, **keys):
    torch.manual_seed(0)
    return ImageClassifier(BACKBONE, CLASSES, loss, **keys).train()


def batch():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(IMAGES, 3, SIZE, SIZE, generator=generator), torch.arange(IMAGES) % CLASSES


def with_isda(base, strength):
    """A classifier around this base, attached."""
    model = classifier(dict(type='ISDALoss', lambda_0=1.0, covariance='full', base=base))
    (pair,) = find_pairs(model)
    attach(pair.loss, pair.classifier)
    pair.loss.strength = strength
    return model


def loss_of(model):
    torch.manual_seed(2)  # of what a loss draws
    return model(*batch(), mode='loss')['loss']


def test_label_smoothing_and_the_focal_loss_are_the_papers_formulas():
    logits, labels = torch.randn(IMAGES, CLASSES), batch()[1]
    log_p = logits.log_softmax(dim=1)
    own = log_p[range(IMAGES), labels]
    expected = dict(label_smoothing=-0.9 * own - 0.1 * log_p.mean(dim=1), focal=-0.5 * (1 - own.exp()) * own)
    for name, values in expected.items():
        assert_close(classifier(BASES[name]).loss(logits, labels), values.mean())


@pytest.mark.parametrize('name', BASES)
def test_isda_at_strength_0_is_bitwise_its_base(name):
    isda, plain = with_isda(BASES[name], 0.0), classifier(BASES[name])
    values = [loss_of(model) for model in (isda, plain)]
    assert torch.equal(*values)
    for value in values:
        value.backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(isda.parameters(), plain.parameters(), strict=True))


@pytest.mark.parametrize('name', BASES)
def test_isda_is_the_base_loss_of_the_augmented_logits(name):
    model = with_isda(BASES[name], 0.7)
    base, (images, labels) = copy.deepcopy(model.loss.base), batch()
    found = loss_of(model)
    maps = copy.deepcopy(model.backbone)(images)[-1]
    features, statistics = maps.mean(dim=(2, 3)), ClassStatistics(CLASSES, maps.shape[1], 'full')
    statistics.observe(features.detach(), labels)
    logits = augment_logits(model.fc(features), labels, margin_variance(model.fc.weight, statistics.covariance), 0.7)
    given = dict(features=features, classifier=model.fc) if name == 'large_margin' else {}
    torch.manual_seed(2)
    expected = base(logits, labels, **given)
    assert_close(found, expected)
    assert abs(float(found.detach() - loss_of(with_isda(BASES[name], 0.0)).detach())) > 1e-3
    torch.manual_seed(2)
    assert_close(*(torch.autograd.grad(value, model.fc.weight)[0] for value in (found, expected)))


@pytest.mark.parametrize('name', BASES)
def test_isda_hook_wraps_each_loss(name):
    model = classifier(BASES[name])
    (pair,), _ = wrap_losses(model, wrap_with_isda(1.0))
    assert (pair.classifier, pair.path, pair.loss.base.__class__.__name__) == (
        model.fc, 'loss', BASES[name]['type'].rpartition('.')[2])


@pytest.mark.parametrize('feature_loss', [CENTER, NET])
def test_feature_loss_does_not_change_other_weights_or_keys(feature_loss):
    plain, model = classifier(), classifier(feature_loss=feature_loss)
    before, after = plain.state_dict(), model.state_dict()
    added = {key for key in after if key.startswith('feature_loss.')}
    assert added and after.keys() - added == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    torch.manual_seed(5)
    plain(*batch(), mode='loss')
    state = torch.get_rng_state()
    torch.manual_seed(5)
    found = model(*batch(), mode='loss')
    assert torch.equal(torch.get_rng_state(), state) == (feature_loss is CENTER)
    assert float(found['loss_features'].detach()) > 0
    assert torch.equal(found['loss'], plain(*batch(), mode='loss')['loss'])


@pytest.mark.parametrize('feature_loss', [CENTER, NET])
def test_feature_loss_stays_unwrapped_with_a_log_message(feature_loss):
    model = classifier(feature_loss=feature_loss)
    (pair,), (line,) = wrap_losses(model, wrap_with_isda(1.0))
    assert pair.path == 'loss'
    assert line.endswith(f'feature_loss is not wrapped: {feature_loss["type"]} is not a softmax cross-entropy of one '
                         'label per sample')
    with pytest.raises(ValueError, match=f'{feature_loss["type"]} is not a softmax cross-entropy of one label per'):
        ISDALoss(1.0, base=model.feature_loss)


def test_loss_receives_only_the_arguments_it_names():
    offered = dict(features=1, maps=2, classifier=3)
    losses = [classifier(BASES['lq']).loss, classifier(BASES['large_margin']).loss,
              with_isda(BASES['large_margin'], 0.0).loss, classifier(feature_loss=CENTER).feature_loss,
              classifier(feature_loss=NET).feature_loss]
    assert [sorted(named(loss, offered)) for loss in losses] == [
        [], ['classifier', 'features'], ['classifier', 'features'], ['features'], ['classifier', 'features', 'maps']]
