"""Properties of ISDACriterion: captured inputs, both resolutions against the oracle, invalid input."""

import copy
import doctest
import io
import sys

import pytest
import reference
import torch
import torch.nn.functional as F
from helpers.problems import KINDS
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach, detach
from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core import augment_logits, isda_cross_entropy
from isda_seg.core.logit_sampling import sampled_logits
from isda_seg.core.ops import device
from isda_seg.core.ops.upsampled import Grid
from isda_seg.criterion import ISDACriterion

CLASSES, CHANNELS, IGNORE, STRENGTH = 4, 6, 255, 2.5
SMALL, LARGE = (5, 5), (33, 33)


class Net(nn.Module):
    """A head in miniature: the 1x1 classifier, the bilinear resize, the loss."""

    def __init__(self, classifier=None, align_corners=False, **kwargs):
        super().__init__()
        self.classifier = nn.Conv2d(CHANNELS, CLASSES, 1) if classifier is None else classifier
        self.loss = ISDACriterion(ignore_index=IGNORE, **kwargs)
        self.align_corners = align_corners
        self.loss.strength = STRENGTH

    def logits(self, features, size=LARGE):
        return F.interpolate(self.classifier(features), size=size, mode='bilinear',
                             align_corners=self.align_corners)

    def forward(self, features, labels):
        return self.loss(self.logits(features, labels.shape[1:]), labels)


def net(seed=0, attached=True, **kwargs):
    torch.manual_seed(seed)
    model = Net(**kwargs)
    if attached:
        attach(model.loss, model.classifier, model.align_corners)
    return model


def batch(seed=0, images=2, size=SMALL, large=LARGE, ignored=7):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (images, *large), generator=generator)
    if ignored:
        labels.view(-1)[::ignored] = IGNORE
    return torch.randn(images, CHANNELS, *size, generator=generator), labels


def on_grid(labels, size=SMALL):
    """Labels under 'nearest-exact' sampling: where features sit without align_corners."""
    return F.interpolate(labels[:, None].double(), size=size, mode='nearest-exact')[:, 0].long()


def rows(features):
    """(B, A, h, w) as samples (B h w, A)."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def literal_covariance(features, labels, kind='diagonal'):
    """The covariance of one batch by the oracle; features (N, A), labels (N,)."""
    if kind == 'identity':
        return torch.ones(1, features.shape[1], dtype=torch.float64)
    if kind == 'shared':
        return reference.shared_covariance(features[labels != IGNORE])
    full = reference.batch_moments(features, labels, CLASSES, IGNORE)[2]
    return full if kind == 'full' else reference.diagonal(full)


def snapshot(loss):
    return [tensor.clone() for tensor in loss.statistics.moments]


def assert_same_statistics(loss, expected):
    assert all(torch.equal(a, b) for a, b in zip(loss.statistics.moments, expected, strict=True))


def labelled_mean(losses, labels):
    return losses.sum() / (labels != IGNORE).sum()


# -- the two resolutions -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
def test_label_resolution_is_eq_7_with_the_statistics_of_the_batch(kind):
    model, (features, labels) = net(covariance=kind), batch()
    loss = model(features, labels)
    loss.backward()
    weight = model.classifier.weight.detach().flatten(1).double().requires_grad_()
    logits = F.conv2d(features.double(), weight[:, :, None, None], model.classifier.bias.detach().double())
    logits = F.interpolate(logits, size=LARGE, mode='bilinear')
    covariance = literal_covariance(rows(features), on_grid(labels).flatten(), kind)
    keep = (labels != IGNORE).flatten()
    pixels, classes = logits.permute(0, 2, 3, 1).flatten(0, 2)[keep], labels.flatten()[keep]
    table = reference.margin_variance(weight, covariance)
    expected = F.cross_entropy(pixels + STRENGTH / 2 * table[classes], classes)
    expected.backward()
    assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    assert_close(model.classifier.weight.grad.flatten(1).double(), weight.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('keys', [dict(covariance=kind) for kind in KINDS] + [
    dict(resolution='feature'), dict(logit_adjustment=0.5)], ids=lambda keys: '-'.join(map(str, keys.values())))
def test_background_samples_are_negatives_without_margins(keys):
    model, (features, labels) = net(background=0, **keys), batch(large=SMALL)
    loss = model(features, labels)
    kept, classes = rows(features).double(), labels.flatten()
    kind = keys.get('covariance', 'diagonal')
    table = reference.margin_variance(model.classifier.weight.detach().flatten(1).double(),
                                      literal_covariance(kept, classes, kind))
    assert table[0].max() > 0.1
    table[0] = 0
    assert_close(model.loss.table().double(), table, rtol=1e-5, atol=1e-6)
    count = torch.bincount(classes[classes != IGNORE], minlength=CLASSES)
    assert torch.equal(model.loss.statistics.count, count) and count[0] > 0
    kept, classes = kept[classes != IGNORE], classes[classes != IGNORE]
    logits = model.classifier.double()(kept.t()[None, :, :, None])[0, :, :, 0].t()
    prior = keys.get('logit_adjustment', 0.0) * (count / count.sum()).log()
    expected = F.cross_entropy(logits + prior + STRENGTH / 2 * table[classes], classes)
    assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)


def test_background_samples_are_not_sampled():
    model, (features, labels) = net(background=0, samples=3), batch(large=SMALL)
    labels = torch.zeros_like(labels)
    assert torch.equal(model(features, labels), F.cross_entropy(model.logits(features, SMALL), labels))


def test_class_probabilities_with_a_background_are_an_error():
    model, (features, labels) = net(background=0), batch(large=SMALL, ignored=0)
    with pytest.raises(ValueError, match='class probabilities are not supported with background=0. Remove this'):
        model.loss(model.logits(features, SMALL), F.one_hot(labels, CLASSES).movedim(-1, 1).float())
    assert int(model.loss.statistics.count.sum()) == 0


@pytest.mark.parametrize('background', [-1, CLASSES])
def test_a_background_outside_the_classes_is_an_error(background):
    with pytest.raises(ValueError, match=rf'background={background} is not one of the 4 classes \(0..3\)'):
        net(background=background)



def test_label_resolution_equals_isda_cross_entropy_with_the_statistics():
    model, (features, labels) = net(align_corners=True), batch()
    logits = model.logits(features)
    loss = model.loss(logits, labels)
    expected = isda_cross_entropy(logits, labels, model.classifier.weight.flatten(1), model.loss.statistics.covariance,
                                  STRENGTH, ignore_index=IGNORE)
    assert torch.equal(loss, expected)


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('sampling', ['exact', 'nearest'])
def test_feature_resolution_adds_upsampled_rows_of_the_grid(align_corners, sampling):
    model = net(resolution='feature', align_corners=align_corners, label_sampling=sampling)
    features, labels = batch()
    logits = model.logits(features)
    loss = model.loss(logits, labels)
    loss.backward()

    if sampling == 'nearest':
        small = F.interpolate(labels[:, None].double(), size=SMALL, mode='nearest')[:, 0].long()
    else:
        small = labels[:, ::8, ::8] if align_corners else on_grid(labels)  # 5 rows of 33: every 8th
    weight = model.classifier.weight.detach().flatten(1).double().requires_grad_()
    covariance = literal_covariance(rows(features), small.flatten())
    table = reference.margin_variance(weight, covariance)
    added = torch.zeros(2, CLASSES, *SMALL, dtype=torch.float64)
    for b in range(2):
        for i in range(SMALL[0]):
            for j in range(SMALL[1]):
                if small[b, i, j] != IGNORE:
                    added[b, :, i, j] = STRENGTH / 2 * table[small[b, i, j]]
    added = F.interpolate(added, size=LARGE, mode='bilinear', align_corners=align_corners)
    plain = F.conv2d(features.double(), weight[:, :, None, None], model.classifier.bias.detach().double())
    plain = F.interpolate(plain, size=LARGE, mode='bilinear', align_corners=align_corners)
    expected = labelled_mean(F.cross_entropy(plain + added, labels, ignore_index=IGNORE, reduction='none'), labels)
    expected.backward()
    assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    assert_close(model.classifier.weight.grad.flatten(1).double(), weight.grad, rtol=1e-4, atol=1e-6)


def test_both_resolutions_agree_for_labels_of_the_feature_size():
    features, labels = batch(large=SMALL)
    assert_close(net(resolution='feature')(features, labels), net(resolution='label')(features, labels))


def test_samples_behind_a_linear_classifier_get_eq_7_at_either_resolution():
    for resolution in ('label', 'feature'):
        model = net(classifier=nn.Linear(CHANNELS, CLASSES), resolution=resolution)
        features, labels = torch.randn(40, CHANNELS), torch.arange(40) % CLASSES
        logits = model.classifier(features)
        loss = model.loss(logits, labels)
        expected = reference.isda_cross_entropy(logits.double(), labels, model.classifier.weight.double(),
                                                literal_covariance(features, labels), STRENGTH).mean()
        assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)


def test_the_table_for_the_log_is_that_of_the_last_call():
    model, (features, labels) = net(), batch()
    model(features, labels)
    expected = reference.margin_variance(model.classifier.weight.detach().flatten(1).double(),
                                         literal_covariance(rows(features), on_grid(labels).flatten()))
    assert_close(model.loss.table().double(), expected, rtol=1e-5, atol=1e-6)
    assert model.loss.table().requires_grad is False


# -- strength 0 and the base loss --------------------------------------------------------------------------------------

@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('base', [None, SoftmaxFocalLoss(2.0, class_weight=[1.0, 2.0, 0.5, 1.0])])
def test_strength_0_equals_the_base_loss_bitwise_gradients_too(resolution, base):
    features, labels = batch()
    isda, plain = net(resolution=resolution, base=base), net(attached=False, base=base)
    isda.loss.strength = 0.0
    inputs = [features.clone().requires_grad_() for _ in range(2)]
    loss = isda(inputs[0], labels)
    expected = plain.loss.base(plain.logits(inputs[1]), labels, ignore_index=IGNORE)
    loss.backward()
    expected.backward()
    assert torch.equal(loss, expected)
    assert torch.equal(inputs[0].grad, inputs[1].grad)
    assert torch.equal(isda.classifier.weight.grad, plain.classifier.weight.grad)
    assert torch.equal(isda.classifier.bias.grad, plain.classifier.bias.grad)


def test_the_base_loss_gets_the_augmented_logits_and_every_keyword():
    class Base(nn.Module):
        def forward(self, logits, labels, ignore_index, weight):
            return (F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none') * weight).sum()

    model, (features, labels) = net(base=Base()), batch()
    weight = torch.rand(labels.shape)
    logits = model.logits(features)
    loss = model.loss(logits, labels, weight=weight)
    each = isda_cross_entropy(logits, labels, model.classifier.weight.flatten(1), model.loss.statistics.covariance,
                              STRENGTH, ignore_index=IGNORE, reduction='none')
    assert_close(loss, (each * weight).sum())


@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('base', [None, SoftmaxFocalLoss(2.0)])
def test_samples_train_with_the_mean_base_loss_of_sampled_logits(resolution, base):
    features, labels = batch()
    model, closed = net(samples=3, resolution=resolution, base=base), net(resolution=resolution, base=base)
    torch.manual_seed(1)
    found = model(features, labels)
    closed(features, labels)
    assert all(torch.equal(one, other) for one, other in
               zip(model.state_dict().values(), closed.state_dict().values(), strict=True))
    grid = Grid(on_grid(labels), False) if resolution == 'feature' else None
    torch.manual_seed(1)
    weight = model.classifier.weight.flatten(1)
    drawn = sampled_logits(model.logits(features), labels, weight, model.loss.statistics.covariance, STRENGTH, 3,
                           ignore_index=IGNORE, grid=grid)
    plain = base or MeanCrossEntropy()
    expected = torch.stack([plain(logits, labels, ignore_index=IGNORE) for logits in drawn]).mean()
    assert_close(found, expected, rtol=1e-6, atol=0)
    for one, other in zip(torch.autograd.grad(found, model.classifier.weight),
                          torch.autograd.grad(expected, model.classifier.weight), strict=True):
        assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_samples_at_strength_0_are_the_base_loss_bitwise():
    features, labels = batch()
    model = net(samples=5)
    model.loss.strength = 0.0
    before = torch.get_rng_state()
    assert torch.equal(model(features, labels), MeanCrossEntropy()(model.logits(features), labels, ignore_index=IGNORE))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize('samples', [0, -1, 2.0, True])
def test_an_invalid_number_of_samples_is_an_error(samples):
    with pytest.raises(ValueError, match='samples must be a positive integer or None, got .*samples=None'):
        ISDACriterion(samples=samples)


def test_the_ignore_index_of_a_call_overrides_that_of_the_constructor():
    model, (features, labels) = net(), batch()
    loss = model.loss(model.logits(features), torch.where(labels == IGNORE, 17, labels), ignore_index=17)
    assert torch.equal(loss, net()(features, labels))


def test_an_ignore_index_among_the_classes_gets_no_statistics_and_no_loss():
    model, (features, labels) = net(), batch(ignored=0)
    loss = model.loss(model.logits(features), labels, ignore_index=1)
    count = torch.bincount(on_grid(labels).flatten(), minlength=CLASSES)
    assert model.loss.statistics.count.tolist() == [count[0], 0, count[2], count[3]]
    other = net()
    assert torch.equal(loss, other.loss(other.logits(features), torch.where(labels == 1, IGNORE, labels)))


# -- captured inputs ---------------------------------------------------------------------------------------------------

def test_statistics_of_training_steps_equal_the_oracle():
    model, seen = net(), []
    for step in range(3):
        features, labels = batch(seed=step)
        model(features, labels).backward()
        seen.append((rows(features), on_grid(labels).flatten()))
        features_so_far, labels_so_far = (torch.cat(part) for part in zip(*seen, strict=True))
        count, mean, covariance = reference.batch_moments(features_so_far, labels_so_far, CLASSES, IGNORE)
        assert torch.equal(model.loss.statistics.count, count)
        assert_close(model.loss.statistics.mean.double(), mean, rtol=1e-5, atol=1e-6)
        assert_close(model.loss.statistics.covariance.double(), reference.diagonal(covariance), rtol=1e-5, atol=1e-6)


def test_a_captured_input_is_used_once():
    model, (features, labels) = net(), batch()
    logits = model.logits(features)
    model.loss(logits, labels)
    before = snapshot(model.loss)
    with pytest.raises(RuntimeError, match='without a new forward pass of its classifier'):
        model.loss(logits, labels)
    assert_same_statistics(model.loss, before)


def test_a_call_before_any_forward_pass_is_an_error():
    with pytest.raises(RuntimeError, match='without a new forward pass of its classifier'):
        net().loss(torch.randn(2, CLASSES, *LARGE), batch()[1])


def test_an_unattached_loss_is_an_error_with_a_remedy():
    model, (features, labels) = net(attached=False), batch()
    with pytest.raises(RuntimeError, match=r"default_hooks = dict\(isda=dict\(type='isda_seg.hooks.ISDAHook'\)\)"):
        model(features, labels)


def test_a_call_without_gradients_keeps_the_captured_input():
    model, (features, labels) = net(), batch()
    logits = model.logits(features)
    before = snapshot(model.loss)
    with torch.no_grad():
        first = model.loss(logits, labels)
    assert torch.equal(first, labelled_mean(F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction='sum'),
                                            labels))
    assert_same_statistics(model.loss, before)
    assert torch.equal(model.loss(logits, labels), net()(features, labels))


def test_evaluation_is_the_base_loss_without_observation():
    model, (features, labels) = net().eval(), batch()
    before = snapshot(model.loss)
    logits = model.logits(features)
    assert torch.equal(model.loss(logits, labels), model.loss.base(logits, labels, ignore_index=IGNORE))
    assert_same_statistics(model.loss, before)
    with pytest.raises(RuntimeError, match='without a new forward pass'):
        model.train().loss(logits, labels)


def test_an_unattached_loss_evaluates_as_the_base_loss():
    model, (features, labels) = net(attached=False).eval(), batch()
    assert torch.equal(model(features, labels), model.loss.base(model.logits(features), labels, ignore_index=IGNORE))


# -- verification ------------------------------------------------------------------------------------------------------

def test_logits_of_another_classifier_are_an_error_at_the_first_step():
    model, (features, labels) = net(), batch()
    other = nn.Conv2d(CHANNELS, CLASSES, 1)
    model.classifier(features)
    with pytest.raises(RuntimeError, match='differ from the logits the loss got'):
        model.loss(F.interpolate(other(features), size=LARGE, mode='bilinear'), labels)
    assert model.loss.statistics.count.sum() == 0


def test_a_nonlinearity_after_the_classifier_is_an_error():
    model, (features, labels) = net(), batch()
    with pytest.raises(RuntimeError, match='ISDA needs logits of a single classifier, resized bilinearly'):
        model.loss(model.logits(features).relu(), labels)


def test_logits_of_another_number_of_classes_are_an_error():
    model, (features, labels) = net(), batch()
    model.classifier(features)
    with pytest.raises(RuntimeError, match=r'\(B, 4, H, W\), the loss got \(2, 7, 33, 33\): another classifier '):
        model.loss(torch.randn(2, 7, *LARGE), labels)


def test_a_nan_first_batch_defers_verification():
    model, (features, labels) = net(), batch()
    other = nn.Conv2d(CHANNELS, CLASSES, 1)
    model(torch.full_like(features, float('nan')), labels)
    model.classifier(features)
    with pytest.raises(RuntimeError, match='differ from the logits the loss got'):
        model.loss(F.interpolate(other(features), size=LARGE, mode='bilinear'), labels)


def test_dropout_before_the_classifier_passes_verification():
    torch.manual_seed(0)
    model, (features, labels) = net(), batch()
    dropped = F.dropout2d(features, 0.5)
    loss = model(dropped, labels)
    assert torch.equal(loss, net()(dropped, labels))
    assert_close(model.loss.statistics.mean.double(),
                 reference.batch_moments(rows(dropped), on_grid(labels).flatten(), CLASSES, IGNORE)[1],
                 rtol=1e-5, atol=1e-6)


# -- state -------------------------------------------------------------------------------------------------------------

def trained(seed=0, **kwargs):
    model = net(**kwargs)
    model(*batch(seed))
    return model


def test_the_state_dict_is_count_mean_and_covariance():
    model = trained()
    assert list(model.loss.state_dict()) == ['statistics.count', 'statistics.mean', 'statistics.covariance']
    assert sorted(model.state_dict()) == ['classifier.bias', 'classifier.weight', 'loss.statistics.count',
                                          'loss.statistics.covariance', 'loss.statistics.mean']
    assert [name for name, _ in model.named_parameters()] == ['classifier.weight', 'classifier.bias']


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('attached', [False, True])
def test_a_checkpoints_statistics_load_attached_or_not(kind, attached):
    model, fresh = trained(covariance=kind), net(seed=1, attached=attached, covariance=kind)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    fresh.load_state_dict(torch.load(file))
    assert_same_statistics(fresh.loss, snapshot(model.loss))


def test_statistics_loaded_before_attach_continue_exactly():
    model, fresh = trained(), net(seed=1, attached=False)
    fresh.load_state_dict(model.state_dict())
    attach(fresh.loss, fresh.classifier)
    assert torch.equal(fresh(*batch(5)), model(*batch(5)))
    assert_same_statistics(fresh.loss, snapshot(model.loss))


def test_statistics_of_another_shape_are_an_error_with_both_shapes():
    state = trained().state_dict()
    other = Net(classifier=nn.Conv2d(CHANNELS, CLASSES + 1, 1))
    attach(other.loss, other.classifier)
    with pytest.raises(ValueError, match=r'mean of shape \(4, 6\) and a covariance of shape \(4, 6\).*needs '
                                         r'\(5, 6\) and \(5, 6\)'):
        other.load_state_dict({key: value for key, value in state.items() if key.startswith('loss')}, strict=False)


@pytest.mark.parametrize('attached', [False, True])
def test_statistics_of_another_kind_are_an_error_with_both_shapes(attached):
    state = trained(covariance='full').state_dict()
    with pytest.raises(ValueError, match=r"covariance of shape \(4, 6, 6\).*\(4, 6\) \(covariance='diagonal'\)"):
        net(attached=attached).load_state_dict(state)


def test_loaded_statistics_of_another_shape_are_an_error_at_attach():
    model = net(attached=False, classifier=nn.Conv2d(CHANNELS, 3, 1))
    model.load_state_dict({key: value for key, value in trained().state_dict().items() if key.startswith('loss')},
                          strict=False)
    with pytest.raises(ValueError, match='statistics have 4 classes x 6 channels, the classifier has 3 x 6'):
        attach(model.loss, model.classifier, model.align_corners)


@pytest.mark.parametrize('attached', [False, True])
def test_load_statistics_false_starts_fresh(attached):
    state, fresh = trained().state_dict(), net(seed=1, attached=attached, load_statistics=False)
    fresh.load_state_dict(state)
    attach(fresh.loss, fresh.classifier)
    assert torch.equal(fresh.classifier.weight, state['classifier.weight'])
    assert_same_statistics(fresh.loss, snapshot(net().loss))
    assert sorted(state) == sorted(trained().state_dict())  # the checkpoint itself keeps its keys


def test_load_statistics_false_loads_a_checkpoint_of_other_classes():
    state = {f'loss.{key}': value for key, value in trained().loss.state_dict().items()}
    other = net(classifier=nn.Conv2d(CHANNELS, CLASSES + 1, 1), load_statistics=False)
    result = other.load_state_dict(state, strict=False)
    assert result.unexpected_keys == []
    assert other.loss.statistics.mean.shape == (CLASSES + 1, CHANNELS)


def test_a_plain_checkpoint_loads_and_leaves_the_statistics():
    model = trained()
    before = snapshot(model.loss)
    model.load_state_dict(Net().state_dict(), strict=False)
    assert_same_statistics(model.loss, before)


# -- unusual batches ---------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_a_wholly_ignored_batch_gives_loss_0_and_zero_gradients(resolution):
    model = net(resolution=resolution)
    features, labels = batch()
    features.requires_grad_()
    loss = model(features, torch.full_like(labels, IGNORE))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(features.grad, torch.zeros_like(features))
    assert torch.equal(model.classifier.weight.grad, torch.zeros_like(model.classifier.weight))
    assert_same_statistics(model.loss, snapshot(net().loss))


@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_a_batch_of_one_class_gets_the_expected_loss(resolution):
    model, (features, labels) = net(resolution=resolution), batch()
    only = torch.full_like(labels, 2)
    logits = model.logits(features)
    loss = model.loss(logits, only)
    sigma = rows(features).double().var(dim=0, unbiased=False)
    weight = model.classifier.weight.detach().flatten(1).double()
    row = torch.stack([reference.quadratic_form(weight[c] - weight[2], sigma) for c in range(CLASSES)])
    expected = F.cross_entropy(logits.double() + STRENGTH / 2 * row[None, :, None, None], only)
    assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('large', [(1, 1), (9, 9)])
def test_one_feature_has_zero_variance_and_the_base_loss(resolution, large):
    for align_corners in (False, True):
        model = net(resolution=resolution, align_corners=align_corners)
        features, labels = batch(images=1, size=(1, 1), large=large, ignored=0)
        logits = model.logits(features, large)
        assert_close(model.loss(logits, labels), F.cross_entropy(logits, labels), rtol=1e-6, atol=1e-7)
        assert int(model.loss.statistics.count.sum()) == 1


def test_one_labelled_pixel_gets_its_own_loss():
    model, (features, labels) = net(), batch()
    one = torch.full_like(labels, IGNORE)
    one[1, 20, 11] = 3
    model(features, labels)  # statistics of an earlier step
    logits = model.logits(features)
    loss = model.loss(logits, one)
    expected = F.cross_entropy(logits[1:, :, 20, 11] + STRENGTH / 2 * model.loss.table()[3], torch.tensor([3]))
    assert_close(loss, expected)


def test_an_empty_batch_of_samples_gives_loss_0():
    model = net(classifier=nn.Linear(CHANNELS, CLASSES))
    logits = model.classifier(torch.randn(0, CHANNELS))
    loss = model.loss(logits, torch.empty(0, dtype=torch.int64))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(model.classifier.weight.grad, torch.zeros(CLASSES, CHANNELS))


@pytest.mark.parametrize('dtype', [torch.uint8, torch.int32])
@pytest.mark.parametrize('base', [None, nn.CrossEntropyLoss(ignore_index=IGNORE)])
def test_narrower_labels_are_supported_in_training_and_evaluation(base, dtype):
    features, labels = batch()
    for training in (True, False):
        found, expected = (net(base=base).train(training)(features, each) for each in (labels.to(dtype), labels))
        assert torch.equal(found, expected)


# -- bad input ---------------------------------------------------------------------------------------------------------

def test_a_label_outside_the_classes_is_named():
    model, (features, labels) = net(), batch()
    labels[1, 4, 5] = 77
    with pytest.raises(ValueError, match=r'label 77 is neither one of the 4 classes \(0\.\.3\) nor the ignore index'):
        model(features, labels)
    assert int(model.loss.statistics.count.sum()) == 0


@pytest.mark.parametrize('image', [0, 1])
def test_a_label_outside_the_classes_is_named_with_its_file(image):
    model, (features, labels) = net(), batch()
    model.loss.sources = ['a/first.png', 'a/second.png']
    labels[image, 4, 5] = 4
    with pytest.raises(ValueError, match=f'label 4 in {model.loss.sources[image]} is neither'):
        model(features, labels)


def test_a_bad_label_of_a_proposal_is_not_named_with_the_file_of_an_image():
    model = nn.Linear(CHANNELS, CLASSES)
    loss = ISDACriterion()
    attach(loss, model)
    loss.sources = ['a/first.png', 'a/second.png']
    with pytest.raises(ValueError, match='label 4 is neither'):
        loss(model(torch.ones(3, CHANNELS)), torch.tensor([4, 0, 0]))


def test_labels_that_are_not_integers_are_an_error():
    model, (features, labels) = net(), batch()
    with pytest.raises(ValueError, match='labels must be integers, got torch.float32'):
        model(features, labels.float())


@pytest.mark.parametrize('training', [True, False])
def test_labels_in_a_list_are_an_error(training):
    model, (features, labels) = net().train(training), batch()
    with pytest.raises(ValueError, match='labels must be a tensor, got list'):
        model.loss(model.logits(features), labels.tolist())


@pytest.mark.parametrize('output, found', [({'out': torch.ones(3, CLASSES)}, 'dict'), ([0.0], 'list')])
def test_logits_inside_another_object_name_the_remedy(output, found):
    with pytest.raises(ValueError, match=f"logits must be a tensor, got {found}: pass the logits in it, such as "):
        net().loss(output, torch.zeros(3, dtype=torch.int64))


@pytest.mark.parametrize('wrong, words', [
    (dict(base=F.cross_entropy), 'base must be a module such as torch.nn.CrossEntropyLoss'),
    (dict(ignore_index=None), 'ignore_index must be an integer, got None'),
    (dict(ignore_index=255.0), 'ignore_index must be an integer, got 255.0'),
    (dict(covariance='diag'), "Unknown covariance 'diag'. Choose one of 'diagonal', 'full', 'shared', 'identity'"),
    (dict(resolution='pixel'), "Unknown resolution 'pixel'. Choose one of 'label', 'feature'"),
    (dict(label_sampling='bilinear'), "Unknown label_sampling 'bilinear'. Choose one of 'exact', 'nearest'"),
])
def test_an_unknown_choice_is_an_error_with_the_known_choices(wrong, words):
    with pytest.raises(ValueError, match=words):
        ISDACriterion(**wrong)


@pytest.mark.parametrize('strength', [-1.0, float('nan'), float('inf')])
def test_a_bad_strength_is_an_error(strength):
    model, (features, labels) = net(), batch()
    model.loss.strength = strength
    with pytest.raises(ValueError, match=r'strength must be a finite number >= 0, got (-1.0|nan|inf)'):
        model(features, labels)


@pytest.mark.parametrize('strength, kwargs, words', [
    ('7.5', {}, 'strength must be a finite number >= 0, got .7.5.'), (-1.0, {}, 'strength must be a finite number'),
    (STRENGTH, dict(weights=1), r"MeanCrossEntropy does not accept \['weights'\]")])
@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_rejected_calls_observe_nothing(strength, kwargs, words, resolution):
    model, (features, labels) = net(resolution=resolution), batch()
    model.loss.strength = strength
    logits = model.logits(features)
    with pytest.raises(ValueError, match=words):
        model.loss(logits, labels, **kwargs)
    for wrong in (labels + 9, labels[:, :-1]):
        model.loss.strength = STRENGTH
        with pytest.raises(ValueError, match=r'label \d+ is neither|must agree'):
            model.loss(logits, wrong)
    assert int(model.loss.statistics.count.sum()) == 0
    assert torch.equal(model.loss(logits, labels), net(resolution=resolution)(features, labels))


@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_uint8_labels_are_compared_with_the_ignore_index_by_value(resolution):
    features, labels = batch()
    labels[labels == IGNORE] = 0
    model = net(resolution=resolution)
    loss = model.loss(model.logits(features), labels.to(torch.uint8), ignore_index=-100)
    other = net(resolution=resolution)
    assert torch.equal(loss, other.loss(other.logits(features), labels, ignore_index=-100))
    assert int(model.loss.statistics.dropped) == 0


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('base', [None, SoftmaxFocalLoss(2.0, class_weight=[1.0, 2.0, 0.5, 1.0])])
@pytest.mark.parametrize('ignore_index', [IGNORE, 1])
def test_an_accelerator_equals_a_cpu(kind, resolution, base, ignore_index, monkeypatch):
    found = []
    for cpu_types in (('cpu',), ()):
        monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
        model = net(covariance=kind, resolution=resolution, base=base)
        for step in range(2):
            features, labels = batch(step)
            labels[labels == IGNORE] = ignore_index
            features = features.requires_grad_()
            loss = model.loss(model.logits(features), labels, ignore_index=ignore_index)
            loss.backward()
        model.loss.raise_deferred_errors()
        found.append((loss, features.grad, model.classifier.weight.grad, *model.loss.statistics.moments))
    assert_close(*found, rtol=1e-4, atol=1e-6)


def test_an_accelerator_ignores_invalid_labels_until_errors_are_raised(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    features, labels = batch()
    wrong, ignored = labels.clone(), labels.clone()
    wrong[0, :9], ignored[0, :9] = 77, IGNORE
    models = net(), net()
    losses = [model(features, y) for model, y in zip(models, (wrong, ignored), strict=True)]
    assert torch.equal(*losses)
    assert_same_statistics(models[0].loss, snapshot(models[1].loss))
    with pytest.raises(ValueError, match='labels such as 77 are neither'):
        models[0].loss.raise_deferred_errors()
    models[1].loss.raise_deferred_errors()


def test_an_accelerator_raises_deferred_errors_at_the_first_evaluation(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    features, labels = batch()
    wrong = labels.clone()
    wrong[0, :9] = 77
    model = net()
    model(features, wrong)
    model.eval()
    with pytest.raises(ValueError, match='labels such as 77 are neither'):
        model(features, labels)
    assert torch.equal(model(features, labels), F.cross_entropy(model.logits(features), labels, ignore_index=IGNORE))


FAULTS = dict(labels='neither one of the 4 classes', logits='the logits the loss got')


def faulty_call(model, fault):
    """Call the loss with a label that is not a class, or with logits of the pass before the last."""
    features, labels = batch()
    logits = model.logits(features)
    if fault == 'labels':
        labels[0, :3] = 77
    else:
        model.logits(features + 50)
    return model.loss(logits, labels)


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('earlier', [0, 2], ids=['first step', 'later'])
@pytest.mark.parametrize('cpu_types, at_once', [(('cpu',), False), ((), True)], ids=['cpu', 'raise_at_once'])
def test_an_immediate_error_does_not_change_the_statistics(cpu_types, at_once, earlier, fault, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
    model = net(raise_at_once=at_once)
    for step in range(earlier):
        model(*batch(step))
    before = snapshot(model.loss)
    with pytest.raises((ValueError, RuntimeError), match=FAULTS[fault]):
        faulty_call(model, fault)
    assert_same_statistics(model.loss, before)


@pytest.mark.parametrize('fault', FAULTS)
def test_an_accelerator_raises_deferred_errors_at_the_64th_step(fault, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    model = net()
    model(*batch())
    model.loss.raise_deferred_errors()
    before = snapshot(model.loss)
    assert faulty_call(model, fault).isfinite()
    assert int(model.loss.statistics.count.sum()) > int(before[0].sum())
    for _ in range(62):
        model(*batch())
    before = snapshot(model.loss)
    with pytest.raises((ValueError, RuntimeError), match=FAULTS[fault]):
        model(*batch())
    assert_same_statistics(model.loss, before)


def test_an_accelerator_verifies_the_first_step_at_once(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    model = net()
    with pytest.raises(RuntimeError, match=FAULTS['logits']):
        faulty_call(model, 'logits')
    assert int(model.loss.statistics.count.sum()) == 0


class Failing(MeanCrossEntropy):
    """A base loss that raises an error on demand."""

    fails = False

    def forward(self, logits, labels, ignore_index=-100):
        if self.fails:
            raise IndexError('of the base loss')
        return super().forward(logits, labels, ignore_index)


@pytest.mark.parametrize('cpu', [True, False])
@pytest.mark.parametrize('samples', [None, 2])
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('as_rows', [False, True])
def test_an_error_of_the_base_loss_leaves_everything_as_it_was(kind, samples, cpu, as_rows, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ('cpu',) if cpu else ())
    classifier = nn.Linear(CHANNELS, CLASSES) if as_rows else None
    model = net(classifier=classifier, base=Failing(), covariance=kind, samples=samples, lambda_0=2.0, total_steps=9)

    def step(seed):
        features, labels = batch(seed)
        features, labels = (rows(features)[:2], labels.flatten()[:2]) if as_rows else (features, labels)
        logits = model.classifier(features) if as_rows else model.logits(features)
        return model.loss, logits, labels

    loss, logits, labels = step(0)
    loss(logits, labels)
    before, strength = {name: value.clone() for name, value in loss.state_dict().items()}, loss.strength
    loss.base.fails = True
    for _ in range(2):
        loss, logits, labels = step(1)
        with pytest.raises(IndexError, match='of the base loss'):
            loss(logits, labels)
        assert loss.strength == strength
        assert all(torch.equal(value, before[name]) for name, value in loss.state_dict().items())
    loss.base.fails = False
    loss(logits, labels)  # the captured features are still there
    found = {name: value.clone() for name, value in loss.state_dict().items()}
    loss.load_state_dict(before)
    loss(*step(1)[1:])  # the same step without an error
    assert all(torch.equal(value, found[name]) for name, value in loss.state_dict().items())


def test_a_classifier_that_has_grown_is_an_error_before_the_observation():
    model = trained()
    before = snapshot(model.loss)
    model.classifier.weight = nn.Parameter(torch.randn(CLASSES + 1, CHANNELS, 1, 1))
    model.classifier.bias = nn.Parameter(torch.zeros(CLASSES + 1))
    with pytest.raises(ValueError, match='have 4 classes x 6 channels, the classifier has 5 x 6: detach this loss and'):
        model(*batch())
    assert_same_statistics(model.loss, before)
    detach(model.loss, model.classifier)
    model.loss = ISDACriterion(ignore_index=IGNORE)
    model.classifier.out_channels = CLASSES + 1
    attach(model.loss, model.classifier)
    model(*batch())
    assert model.loss.statistics.count.tolist() == [*before[0].tolist(), 0]


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_a_refused_checkpoint_leaves_no_trace_in_an_unattached_loss(kind):
    states = trained(covariance='full' if kind == 'diagonal' else 'diagonal').loss.state_dict(), \
        {**trained(covariance=kind).loss.state_dict(), 'other': torch.zeros(1)}
    for state in states:
        loss, classifier = ISDACriterion(kind), nn.Linear(2, 3)
        with pytest.raises((ValueError, RuntimeError), match='checkpoint holds|Unexpected key'):
            loss.load_state_dict(state)
        assert loss.statistics is None
        attach(loss, classifier)


def test_a_refused_checkpoint_leaves_the_statistics_of_an_attached_loss():
    loss = trained(lambda_0=2.0, total_steps=4).loss
    before = copy.deepcopy(loss.state_dict())
    state = {key: value + 1 for key, value in before.items() if torch.is_tensor(value)}
    with pytest.raises(RuntimeError, match='Unexpected key'):
        loss.load_state_dict({**state, 'other': torch.zeros(1)})
    assert all(torch.equal(before[key], value) for key, value in loss.state_dict().items() if torch.is_tensor(value))
    loss.load_state_dict({**before, **state})
    assert int(loss.statistics.count[0]) == int(before['statistics.count'][0]) + 1


def test_a_checkpoint_that_the_model_refuses_leaves_its_loss_attachable():
    state = {f'loss.{key}': value for key, value in trained().loss.state_dict().items()}
    model = nn.ModuleDict(dict(classifier=nn.Linear(2, 3), loss=ISDACriterion()))
    with pytest.raises(RuntimeError, match='Missing key'):
        model.load_state_dict(state)
    attach(model.loss, model.classifier)
    assert (model.loss.statistics.num_classes, model.loss.statistics.channels) == (3, 2)


@pytest.mark.parametrize('order', ['model', 'classifier first', 'loss first'])
def test_a_deep_copy_has_its_table_at_once_or_says_what_is_missing(order):
    model = trained()
    if order == 'model':
        kept = copy.deepcopy(model)
        twin = kept.loss
    elif order == 'classifier first':
        kept, twin = copy.deepcopy((model.classifier, model.loss))
    else:
        twin = copy.deepcopy(model.loss)
        with pytest.raises(RuntimeError, match='run the classifier of this copy once in training mode'):
            twin.table()
        return
    assert torch.equal(twin.table(), model.loss.table()) and twin.captured is not model.loss.captured


# -- half precision ----------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('half_features', [False, True])
def test_under_bfloat16_autocast_everything_after_the_features_is_float32(resolution, half_features):
    seen = []

    class Base(MeanCrossEntropy):  # the same loss, called as any other base is
        def forward(self, logits, labels, ignore_index=-100):
            seen.append((logits.dtype, torch.is_autocast_cpu_enabled()))
            return super().forward(logits, labels, ignore_index)

    model, (features, labels) = net(resolution=resolution, base=Base()), batch()
    features = features.bfloat16() if half_features else features
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits = model.logits(features)
        loss = model.loss(logits, labels)
    loss.backward()
    assert logits.dtype == torch.bfloat16 and loss.dtype == torch.float32
    assert seen == [(torch.float32, False)]
    assert model.loss.table().dtype == model.loss.statistics.covariance.dtype == torch.float32
    assert_close(loss, net(resolution=resolution)(features.float(), labels), rtol=1e-2, atol=1e-2)
    expected = reference.batch_moments(rows(features), on_grid(labels).flatten(), CLASSES, IGNORE)
    assert_close(model.loss.statistics.mean.double(), expected[1], rtol=1e-5, atol=1e-6)
    table = reference.margin_variance(model.classifier.weight.detach().flatten(1).double(),
                                      reference.diagonal(expected[2]))
    assert_close(model.loss.table().double(), table, rtol=1e-5, atol=1e-6)


def test_bfloat16_logits_of_float32_features_pass_verification():
    model, (features, labels) = net(), batch()
    features = features / 2 + 4
    with torch.no_grad():
        model.classifier.bias.copy_(-4 * model.classifier.weight.sum(dim=(1, 2, 3)))  # cancels: rounding weighs more
    with torch.autocast('cpu', dtype=torch.bfloat16):
        logits = model.logits(features)
        loss = model.loss(logits, labels)
    rounding = (logits - model.logits(features)).abs().max() / logits.abs().max()
    assert 0.01 < float(rounding.detach()) < 0.05
    shifted = net()
    nn.init.zeros_(shifted.classifier.bias)
    assert_close(loss, shifted(features - 4, labels), rtol=1e-2, atol=0)


def test_statistics_stay_float32_when_the_model_is_halved():
    model = trained().bfloat16()
    assert model.classifier.weight.dtype == torch.bfloat16
    assert {name: value.dtype for name, value in model.loss.named_buffers() if 'statistics' in name} == {
        'statistics.count': torch.int64, 'statistics.mean': torch.float64, 'statistics.covariance': torch.float32,
        'statistics.dropped': torch.int64}


def test_a_model_in_float64_is_augmented_in_float64():
    model, (features, labels) = net().double(), batch()
    logits = model.logits(features.double())
    loss = model.loss(logits, labels)
    table = reference.margin_variance(model.classifier.weight.flatten(1), model.loss.statistics.covariance.double())
    augmented = augment_logits(logits, labels, table, STRENGTH, ignore_index=IGNORE)
    assert loss.dtype == torch.float64
    assert_close(loss, labelled_mean(F.cross_entropy(augmented, labels, ignore_index=IGNORE, reduction='sum'), labels),
                 rtol=1e-9, atol=1e-12)


def test_the_example_in_the_docstring_runs():
    result = doctest.testmod(sys.modules[ISDACriterion.__module__])
    assert (result.failed, result.attempted) == (0, 6)
