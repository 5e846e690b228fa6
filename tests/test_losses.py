"""Properties of ISDALoss: it replaces any softmax loss of MMSegmentation, and equals it at strength 0."""

from collections import OrderedDict

import pytest
import reference
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS as ROOT
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.attachment import base_losses
from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core import augment_logits
from isda_seg.losses import ISDALoss

CLASSES, CHANNELS, IGNORE = 4, 6, 255
LARGE = (33, 33)
CLASS_WEIGHT = [1.0, 2.0, 0.5, 3.0]

register_all_modules(init_default_scope=False)


@pytest.fixture(autouse=True)
def mmseg_scope():
    """As under a Runner with MMSeg's default_scope, whatever ran before."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def features_and_labels(seed=0, ignored=True):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (2, *LARGE), generator=generator)
    if ignored:
        labels.view(-1)[::7] = IGNORE
    return torch.randn(2, CHANNELS, 5, 5, generator=generator), labels


def conv():
    torch.manual_seed(0)
    return nn.Conv2d(CHANNELS, CLASSES, 1)


def isda(strength=0.0, **config):
    """An attached ISDALoss and its classifier."""
    loss, classifier = MODELS.build(dict(type='ISDALoss', **{'lambda_0': 7.5, **config})), conv()
    attach(loss, classifier)
    loss.strength = strength
    return loss, classifier


def logits_of(classifier, features):
    return F.interpolate(classifier(features), size=LARGE, mode='bilinear')


def value_and_gradients(loss, classifier, features, labels, **kwargs):
    """Loss and gradients as in a head: loss(logits, labels, weight=, ignore_index=)."""
    features = features.clone().requires_grad_()
    value = loss(logits_of(classifier, features), labels, **kwargs)
    value.sum().backward()
    return [value.detach(), features.grad, classifier.weight.grad, classifier.bias.grad]


def assert_same_bits(actual, expected):
    assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))


# -- strength 0 is the loss it replaces --------------------------------------------------------------------------------

@pytest.mark.parametrize('keys', [
    dict(), dict(use_sigmoid=False), dict(use_mask=False, use_sigmoid=False), dict(avg_non_ignore=True),
    dict(reduction='sum'), dict(reduction='none'), dict(loss_weight=0.4), dict(loss_weight=0.4, avg_non_ignore=True),
    dict(loss_name='loss_ce'),
], ids=str)
@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('sampled', [False, True])
def test_strength_0_equals_mmsegs_cross_entropy_bitwise_with_every_key(keys, resolution, sampled):
    features, labels = features_and_labels()
    kwargs = dict(weight=(torch.rand(labels.shape) > 0.5).float() if sampled else None, ignore_index=IGNORE)
    plain = MODELS.build(dict(type='CrossEntropyLoss', **keys))
    assert_same_bits(value_and_gradients(*isda(resolution=resolution, **keys), features, labels, **kwargs),
                     value_and_gradients(plain, conv(), features, labels, **kwargs))


@pytest.mark.parametrize('keys', [dict(), dict(reduction='sum'), dict(loss_weight=0.4)], ids=str)
def test_strength_0_equals_mmsegs_cross_entropy_with_class_weights(keys):
    features, labels = features_and_labels(ignored=False)  # MMSeg's own raises IndexError on ignored pixels
    plain = MODELS.build(dict(type='CrossEntropyLoss', class_weight=CLASS_WEIGHT, **keys))
    assert_same_bits(
        value_and_gradients(*isda(class_weight=CLASS_WEIGHT, **keys), features, labels, ignore_index=IGNORE),
        value_and_gradients(plain, conv(), features, labels, ignore_index=IGNORE))


@pytest.mark.parametrize('base', [
    dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.5),
    dict(type='OhemCrossEntropy', thres=0.3, min_kept=100),
    dict(type='OhemCrossEntropy', thres=0.3, min_kept=100, class_weight=CLASS_WEIGHT, loss_weight=0.7),
    dict(type='SoftmaxFocalLoss', gamma=1.5, class_weight=CLASS_WEIGHT),
], ids=str)
@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_strength_0_equals_the_base_loss_bitwise(base, resolution):
    features, labels = features_and_labels()
    if base['type'] == 'OhemCrossEntropy':
        def plain(logits, labels, ignore_index):
            return MODELS.build(base)(logits, labels)
    else:
        plain = MODELS.build(base)
    assert_same_bits(
        value_and_gradients(*isda(base=base, resolution=resolution), features, labels, weight=None,
                            ignore_index=IGNORE),
        value_and_gradients(plain, conv(), features, labels, ignore_index=IGNORE))


# -- with strength, the base loss of the augmented logits --------------------------------------------------------------

def augmented(loss, classifier, features, labels):
    """Eq. 7's logits from the oracle's table of this batch."""
    grid = F.interpolate(labels[:, None].double(), size=features.shape[2:], mode='nearest-exact')[:, 0].long()
    rows = features.permute(0, 2, 3, 1).flatten(0, 2)
    covariance = reference.diagonal(reference.batch_moments(rows, grid.flatten(), CLASSES, IGNORE)[2])
    table = reference.margin_variance(classifier.weight.detach().flatten(1).double(), covariance)
    return augment_logits(logits_of(classifier, features).detach(), labels, table, loss.strength, ignore_index=IGNORE)


@pytest.mark.parametrize('config', [
    dict(avg_non_ignore=True, loss_weight=0.4),
    dict(base=dict(type='OhemCrossEntropy', thres=0.3, min_kept=100)),
    dict(base=dict(type='SoftmaxFocalLoss', gamma=2.0)),
], ids=str)
def test_a_step_is_the_base_loss_of_the_augmented_logits(config):
    features, labels = features_and_labels()
    loss, classifier = isda(strength=5.0, **config)
    value = loss(logits_of(classifier, features), labels, weight=None, ignore_index=IGNORE)
    kwargs = {} if isinstance(config.get('base'), dict) and 'Ohem' in config['base']['type'] else \
        dict(ignore_index=IGNORE)
    expected = loss.base(augmented(loss, classifier, features, labels), labels, **kwargs)
    assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    assert abs(float((value - loss.base(logits_of(classifier, features), labels, **kwargs)).detach())) > 1e-3


def test_loss_weights_of_base_and_loss_multiply():
    features, labels = features_and_labels()
    values = []
    for config in (dict(base=dict(type='SoftmaxFocalLoss')), dict(base=dict(type='SoftmaxFocalLoss', loss_weight=0.5),
                                                                  loss_weight=0.4)):
        loss, classifier = isda(strength=2.0, **config)
        values.append(loss(logits_of(classifier, features), labels, ignore_index=IGNORE))
    assert_close(values[1], 0.2 * values[0])


def test_sampler_weights_apply_to_the_augmented_loss():
    features, labels = features_and_labels()
    weight = torch.rand(labels.shape)
    loss, classifier = isda(strength=5.0)
    value = loss(logits_of(classifier, features), labels, weight=weight, ignore_index=IGNORE)
    each = F.cross_entropy(augmented(loss, classifier, features, labels), labels, ignore_index=IGNORE, reduction='none')
    assert_close(value.double(), (each * weight).mean(), rtol=1e-5, atol=1e-6)


def test_avg_factor_and_reduction_override_reach_the_cross_entropy():
    features, labels = features_and_labels()
    loss, classifier = isda(strength=5.0)
    each = loss(logits_of(classifier, features), labels, ignore_index=IGNORE, reduction_override='none')
    loss, classifier = isda(strength=5.0)
    value = loss(logits_of(classifier, features), labels, ignore_index=IGNORE, avg_factor=100)
    assert each.shape == labels.shape
    assert_close(value, each.sum() / 100)


def test_avg_non_ignore_survives_a_wholly_ignored_batch_with_loss_0():
    features, labels = features_and_labels()
    for keys in (dict(), dict(avg_non_ignore=True), dict(base=dict(type='SoftmaxFocalLoss'))):
        loss, classifier = isda(strength=5.0, **keys)
        result = value_and_gradients(loss, classifier, features, torch.full_like(labels, IGNORE), weight=None,
                                     ignore_index=IGNORE)
        assert_same_bits(result, [torch.zeros_like(part) for part in result])


@pytest.mark.parametrize('keys', [dict(), dict(avg_non_ignore=True)])
def test_a_batch_without_images_has_loss_0_and_zero_gradients(keys):
    features, labels = features_and_labels()
    loss, classifier = isda(strength=5.0, **keys)
    result = value_and_gradients(loss, classifier, features[:0], labels[:0], ignore_index=IGNORE)
    assert_same_bits(result, [torch.zeros_like(part) for part in result])


# -- how it is built ---------------------------------------------------------------------------------------------------

def test_every_scope_finds_it():
    assert MODELS.get('ISDALoss') is ROOT.get('ISDALoss') is ISDALoss
    for registry, scope in ((MODELS, 'mmseg'), (ROOT, 'mmengine'), (ROOT, 'mmseg')):
        with DefaultScope.overwrite_default_scope(scope):
            assert type(registry.build(dict(type='ISDALoss', lambda_0=7.5))) is ISDALoss
            assert type(registry.build(dict(type='SoftmaxFocalLoss'))) is SoftmaxFocalLoss


def test_the_base_is_the_cross_entropy_of_the_scope():
    cross_entropy = MODELS.get('CrossEntropyLoss')
    assert type(ROOT.build(dict(type='ISDALoss', lambda_0=1)).base) is cross_entropy
    with DefaultScope.overwrite_default_scope('mmengine'):
        assert type(ROOT.build(dict(type='ISDALoss', lambda_0=1)).base) is MeanCrossEntropy


def test_mmsegs_losses_are_found_without_a_scope(monkeypatch):
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())
    for base in ('CrossEntropyLoss', 'OhemCrossEntropy', 'SoftmaxFocalLoss'):
        assert type(MODELS.build(dict(type='ISDALoss', lambda_0=1, base=dict(type=base))).base) is MODELS.get(base)
    assert type(MODELS.build(dict(type='ISDALoss', lambda_0=1)).base) is MODELS.get('CrossEntropyLoss')


def test_keys_of_mmsegs_cross_entropy_are_an_error_outside_mmseg():
    with DefaultScope.overwrite_default_scope('mmengine'):
        with pytest.raises(ValueError, match=r"ISDALoss does not accept \['avg_non_ignore'\]"):
            ROOT.build(dict(type='ISDALoss', lambda_0=1, avg_non_ignore=True))
        weighted = ROOT.build(dict(type='ISDALoss', lambda_0=1, loss_weight=0.4)).eval()
    logits, labels = torch.randn(5, CLASSES), torch.randint(CLASSES, (5,))
    assert_close(weighted(logits, labels), 0.4 * F.cross_entropy(logits, labels))


def test_the_log_name_is_loss_isda_or_from_the_config():
    assert ISDALoss(7.5).loss_name == 'loss_isda'
    assert ISDALoss(7.5, loss_name='loss_main').loss_name == 'loss_main'


def test_the_strength_starts_at_0():
    loss = ISDALoss(7.5)
    assert (loss.strength, loss.lambda_0) == (0.0, 7.5)


def test_lambda_0_has_no_default():
    with pytest.raises(TypeError, match="required positional argument: 'lambda_0'"):
        MODELS.build(dict(type='ISDALoss'))


@pytest.mark.parametrize('lambda_0', [-1, float('nan'), float('inf'), None])
def test_a_negative_or_non_finite_lambda_0_is_an_error(lambda_0):
    with pytest.raises(ValueError, match=f'lambda_0 must be a finite number >= 0, got {lambda_0}'):
        MODELS.build(dict(type='ISDALoss', lambda_0=lambda_0))


@pytest.mark.parametrize('wrong, words', [
    (dict(use_sigmoid=True), 'needs a softmax over the classes: use_sigmoid and use_mask must be False'),
    (dict(use_mask=True), 'needs a softmax over the classes: use_sigmoid and use_mask must be False'),
    (dict(covariance='diag'), "Unknown covariance 'diag'. Choose one of 'diagonal', 'full', 'shared', 'identity'"),
    (dict(resolution='pixel'), "Unknown resolution 'pixel'. Choose one of 'label', 'feature'"),
    (dict(label_sampling='cubic'), "Unknown label_sampling 'cubic'. Choose one of 'exact', 'nearest'"),
    (dict(base=dict(type='OhemCrossEntropy'), avg_non_ignore=True, class_weight=CLASS_WEIGHT),
     r"\['avg_non_ignore', 'class_weight'\] are keys of the cross-entropy that base="),
], ids=str)
def test_an_invalid_config_is_an_error_when_built(wrong, words):
    with pytest.raises(ValueError, match=words):
        MODELS.build(dict(type='ISDALoss', lambda_0=7.5, **wrong))


@pytest.mark.parametrize('train', [True, False])
def test_a_base_without_pixel_weights_is_an_error_with_a_sampler(train):
    features, labels = features_and_labels()
    loss, classifier = isda(base=dict(type='OhemCrossEntropy'))
    loss.train(train)
    with pytest.raises(ValueError, match=r"base loss OhemCrossEntropy does not accept \['weight'\].*or no sampler"):
        loss(logits_of(classifier, features), labels, weight=torch.ones(labels.shape), ignore_index=IGNORE)


def test_a_base_with_another_ignore_index_is_an_error():
    features, labels = features_and_labels(ignored=False)
    loss, classifier = isda(base=dict(type='OhemCrossEntropy', ignore_label=0))
    with pytest.raises(ValueError, match='base loss ignores label 0, the ISDA loss was called with ignore_index=255'):
        loss(logits_of(classifier, features), labels, weight=None, ignore_index=IGNORE)


@pytest.mark.parametrize('base', [dict(type='DiceLoss'), dict(type='FocalLoss'), dict(type='TverskyLoss'),
                                  dict(type='CrossEntropyLoss', use_sigmoid=True)])
def test_a_base_that_is_not_a_softmax_loss_is_an_error(base):
    with pytest.raises(ValueError, match='is not a softmax cross-entropy'):
        MODELS.build(dict(type='ISDALoss', lambda_0=1, base=base))


def test_an_unknown_key_is_an_error_with_a_suggestion():
    with pytest.raises(ValueError, match=r"ISDALoss does not accept \['covarience'\]; covarience: did you mean "
                                         r'covariance.. It accepts lambda_0, covariance, .*, class_weight'):
        MODELS.build(dict(type='ISDALoss', lambda_0=1, covarience='full'))


@pytest.mark.parametrize('keys', [dict(label_smooth=0.1), dict(class_weight=[1.0])])
def test_keys_of_another_loss_are_an_error_with_a_working_remedy(keys):
    with DefaultScope.overwrite_default_scope('mmengine'), pytest.raises(ValueError) as error:
        ROOT.build(dict(type='ISDALoss', lambda_0=1, **keys))
    assert f'ISDALoss does not accept {list(keys)}' in str(error.value)
    advice = str(error.value).split('into base: base=')[1]
    with DefaultScope.overwrite_default_scope('mmengine'):
        loss = ROOT.build(dict(type='ISDALoss', lambda_0=1, base=eval(advice))).eval()  # the remedy works as printed
    logits, labels = torch.randn(5, CLASSES), torch.randint(CLASSES, (5,))
    assert_close(loss(logits, labels), F.cross_entropy(logits, labels, label_smoothing=0.1))


def test_a_loss_name_without_loss_is_an_error():
    with pytest.raises(ValueError, match="loss_name='isda_aux' does not contain 'loss'"):
        MODELS.build(dict(type='ISDALoss', lambda_0=1, loss_name='isda_aux'))


@pytest.mark.family('onedl')  # mmsegmentation 1.2.2 raises IndexError for its own loss
def test_avg_non_ignore_with_class_weights_is_the_weighted_mean():
    loss, classifier = isda(strength=0.5, class_weight=CLASS_WEIGHT, avg_non_ignore=True)
    other, _ = isda(strength=0.5, class_weight=CLASS_WEIGHT)
    features, labels = features_and_labels()
    found = [one(F.interpolate(head(features), LARGE, mode='bilinear'), labels, ignore_index=IGNORE)
             for one, head in ((loss, classifier), (other, _))]
    assert found[0].isfinite() and torch.equal(*found)
    loss.eval()
    logits = F.interpolate(classifier(features), LARGE, mode='bilinear')
    assert_close(loss(logits, labels, ignore_index=IGNORE),
                 F.cross_entropy(logits, labels, torch.tensor(CLASS_WEIGHT), ignore_index=IGNORE))


# -- the fused pass ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('keys', [
    dict(), dict(avg_non_ignore=True), dict(loss_weight=0.4), dict(loss_weight=0.4, avg_non_ignore=True),
    dict(base=dict(type='CrossEntropyLoss', loss_weight=0.5), loss_weight=0.3), dict(loss_weight=0.0),
], ids=str)
@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('ignored', [False, True])
def test_the_fused_loss_equals_the_base_loss_of_augmented_logits(keys, resolution, ignored, monkeypatch):
    features, labels = features_and_labels()
    labels = torch.full_like(labels, IGNORE) if ignored else labels
    loss, classifier = isda(resolution=resolution, **keys)
    loss.strength = 2.5
    fused = value_and_gradients(loss, classifier, features, labels, ignore_index=IGNORE)
    loss, classifier = isda(resolution=resolution, **keys)
    loss.strength = 2.5
    monkeypatch.setattr('isda_seg.attachment.base_losses.averaging_of', lambda *given: None)
    assert_close(fused, value_and_gradients(loss, classifier, features, labels, ignore_index=IGNORE), rtol=1e-5,
                 atol=1e-7)


def seg(**keys):
    return MODELS.build(dict(type='CrossEntropyLoss', **keys))


@pytest.mark.parametrize('base', [
    MeanCrossEntropy(), seg(), seg(avg_non_ignore=True, loss_weight=0.4), seg(class_weight=CLASS_WEIGHT, loss_weight=2),
    nn.CrossEntropyLoss(ignore_index=IGNORE), nn.CrossEntropyLoss(torch.tensor(CLASS_WEIGHT), ignore_index=IGNORE),
    nn.CrossEntropyLoss(torch.tensor(CLASS_WEIGHT), ignore_index=IGNORE, reduction='sum'), SoftmaxFocalLoss(),
    SoftmaxFocalLoss(0.5, CLASS_WEIGHT, 3.0)])
@pytest.mark.parametrize('ignored', [False, True])
def test_the_mean_of_cross_entropies_equals_the_loss(base, ignored):
    logits, labels = torch.randn(2, CLASSES, 5, 6), torch.randint(CLASSES, (2, 5, 6))
    labels[0, :2] = IGNORE
    labels = torch.full_like(labels, IGNORE) if ignored else labels
    entropies = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction='none')
    found = base_losses.averaging_of(base, labels, {}).of(entropies, labels, IGNORE)
    assert_close(found, base_losses.value(base, logits, labels, IGNORE, {}), equal_nan=True)


def test_weighted_losses_call_their_base():
    features, labels = features_and_labels()
    for keys, kwargs in ((dict(reduction='sum'), {}), (dict(), dict(weight=torch.ones(labels.shape)))):
        assert base_losses.averaging_of(isda(**keys)[0].base, labels, kwargs) is None
    assert not base_losses.averaging_of(isda(class_weight=CLASS_WEIGHT)[0].base, labels, {}).uniform
    half = base_losses.averaging_of(isda()[0].base, labels, {}, factor=0.5)
    assert half.divisor(labels, IGNORE) == 2 * labels.numel()
    labelled = int((labels != IGNORE).sum())
    mean = base_losses.averaging_of(isda(avg_non_ignore=True, loss_weight=0.25)[0].base, labels, {})
    assert mean.divisor(labels, IGNORE) == 4 * labelled
