"""Properties of attach: calling conventions of classifiers, copies, recomputation. Plain torch."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from isda_seg.attach import attach, detach
from isda_seg.core import isda_cross_entropy
from isda_seg.criterion import ISDACriterion

CLASSES, CHANNELS, STRENGTH = 3, 5, 4.0


class Net(nn.Module):
    """An image classifier in plain torch."""

    def __init__(self, recompute=None):
        super().__init__()
        self.stem, self.fc = nn.Linear(4, CHANNELS), nn.Linear(CHANNELS, CLASSES)
        self.loss = ISDACriterion()
        self.recompute = recompute

    def forward(self, inputs, labels):
        features = self.stem(inputs).relu()
        if self.recompute is None:
            return self.loss(self.fc(features), labels)
        return self.loss(checkpoint(self.fc, features, use_reentrant=self.recompute == 'reentrant'), labels)


def net(seed=0, strength=STRENGTH, **kwargs):
    torch.manual_seed(seed)
    model = Net(**kwargs)
    model.loss.strength = strength
    attach(model.loss, model.fc)
    return model


def batch(seed=0, samples=24):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, 4, generator=generator), torch.randint(CLASSES, (samples,), generator=generator)


def counts(model):
    return model.loss.statistics.count.tolist()


def snapshot(model):
    return [tensor.clone() for tensor in model.loss.statistics.moments]


def same(model, expected):
    return all(torch.equal(a, b) for a, b in zip(model.loss.statistics.moments, expected, strict=True))


# -- attach ------------------------------------------------------------------------------------------------------------

def test_a_plain_torch_loop_trains_with_eq_7():
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(4):
        inputs, labels = batch(step)
        model.loss.strength = STRENGTH * (step + 1) / 4
        logits = model.fc(model.stem(inputs).relu()).detach()
        model.loss.captured.clear()  # the input of the line above
        weight = model.fc.weight.detach().clone()
        loss = model(inputs, labels)
        expected = isda_cross_entropy(logits, labels, weight, model.loss.statistics.covariance, model.loss.strength)
        assert torch.equal(loss.detach(), expected)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert sum(counts(model)) == 4 * 24


def test_attaching_again_changes_nothing():
    model = net()
    model(*batch())
    before = snapshot(model)
    for _ in range(3):
        attach(model.loss, model.fc)
    assert len(model.fc._forward_pre_hooks) == 1
    assert same(model, before)
    model(*batch(1))
    assert sum(counts(model)) == 2 * 24


def test_two_losses_on_one_classifier_both_capture_its_input():
    model, second = net(), ISDACriterion(covariance='full')
    second.strength = 1.0
    attach(second, model.fc)
    inputs, labels = batch()
    logits = model.fc(model.stem(inputs).relu())
    losses = [model.loss(logits, labels), second(logits, labels)]
    expected = [isda_cross_entropy(logits, labels, model.fc.weight, loss.statistics.covariance, loss.strength)
                for loss in (model.loss, second)]
    assert torch.equal(torch.stack(losses), torch.stack(expected))
    assert len(model.fc._forward_pre_hooks) == 2


def test_statistics_have_the_classifiers_shape():
    for classifier in (nn.Linear(7, 3), nn.Conv2d(7, 3, 1), nn.Conv2d(7, 3, 1, bias=False)):
        loss = ISDACriterion()
        attach(loss, classifier)
        assert (loss.statistics.num_classes, loss.statistics.channels) == (3, 7)


def test_a_classifier_without_bias_passes_verification():
    torch.manual_seed(0)
    classifier, loss = nn.Conv2d(CHANNELS, CLASSES, 1, bias=False), ISDACriterion()
    attach(loss, classifier)
    features, labels = torch.randn(2, CHANNELS, 3, 3), torch.randint(CLASSES, (2, 3, 3))
    logits = classifier(features)
    assert torch.equal(loss(logits, labels), F.cross_entropy(logits, labels, reduction='sum') / labels.numel())


@pytest.mark.parametrize('classifier, words', [
    (nn.Linear(5, 1), 'at least 2 classes, the classifier has 1 output channel'),
    (nn.Conv2d(5, 1, 1), 'at least 2 classes, the classifier has 1 output channel'),
    (nn.Conv2d(4, 2, 1, groups=2), 'has 2 groups. Its classes have different features.*classifier with groups=1'),
    (nn.ConvTranspose2d(4, 2, 1), 'got ConvTranspose2d: upsample the features with it'),
    (nn.Sequential(nn.Dropout(), nn.Linear(4, 2)),
     r'got Sequential: pass the layer inside it that computes the logits; its last one is 1 \(Linear\)'),
])
def test_a_module_that_is_not_a_softmax_classifier_is_an_error(classifier, words):
    loss = ISDACriterion()
    with pytest.raises(ValueError, match=words):
        attach(loss, classifier)
    assert loss.statistics is None and len(classifier._forward_pre_hooks) == 0


@pytest.mark.parametrize('kind', [nn.LazyLinear, lambda classes: nn.LazyConv2d(classes, 1)])
def test_a_lazy_classifier_is_attached_after_its_first_pass(kind):
    layer, loss = kind(CLASSES), ISDACriterion()
    with pytest.raises(ValueError, match='does not know its number of inputs yet: run the model once before attach'):
        attach(loss, layer)
    layer(torch.randn(2, CHANNELS, *(() if isinstance(layer, nn.Linear) else (3, 3))))
    attach(loss, layer)
    assert loss.statistics.channels == CHANNELS


def test_attaching_another_loss_is_an_error():
    with pytest.raises(ValueError, match='attach expects an ISDACriterion or ISDALoss, got CrossEntropyLoss'):
        attach(nn.CrossEntropyLoss(), nn.Linear(4, 2))


def test_a_classifier_of_another_shape_is_an_error_and_not_hooked():
    model, other = net(), nn.Linear(CHANNELS + 1, CLASSES)
    with pytest.raises(ValueError, match='statistics have 3 classes x 5 channels, the classifier has 3 x 6'):
        attach(model.loss, other)
    assert len(other._forward_pre_hooks) == 0


def test_a_second_classifier_is_an_error_and_not_hooked():
    model, other = net(), nn.Linear(CHANNELS, CLASSES)
    with pytest.raises(ValueError, match='create a separate loss for each classifier'):
        attach(model.loss, other)
    assert len(other._forward_pre_hooks) == 0
    attach(model.loss, model.fc)
    twin = copy.deepcopy(model)
    twin(*batch())
    with pytest.raises(ValueError, match='create a separate loss for each classifier'):
        attach(twin.loss, model.fc)


@pytest.mark.parametrize('kind, size', [('full', '15.6'), ('shared', None), ('diagonal', None), ('identity', None)])
@pytest.mark.parametrize('layer', [nn.Linear, lambda channels, classes: nn.Conv2d(channels, classes, 1)])
def test_covariances_of_many_gib_are_a_warning_with_their_size(layer, kind, size, monkeypatch):
    def no_memory(*args):
        raise MemoryError  # reached after the warning

    monkeypatch.setattr(ISDACriterion, 'prepare', no_memory)
    with warnings.catch_warnings(record=True) as found, pytest.raises(MemoryError):
        warnings.simplefilter('always')
        attach(ISDACriterion(kind), layer(2048, 1000))
    words = [f"full covariances of 1000 classes x 2048 channels need {size} GiB in the model and in each checkpoint. "
             "covariance='diagonal' needs 0.008 GiB"] if size else []
    assert [str(warning.message) for warning in found] == words


class LoRA(nn.Module):
    """A classifier with a low-rank adapter."""

    def __init__(self):
        super().__init__()
        self.base, self.down, self.up = nn.Linear(4, 3), nn.Linear(4, 2), nn.Linear(2, 3)


def test_several_layers_whose_outputs_may_be_added_are_an_error():
    with pytest.raises(ValueError, match=r'got LoRA. If .* logits \(base \(Linear\), down \(Linear\), up \(Linear\)\), '
                                         'pass that one. If .* added to its output, as in LoRA, no layer does'):
        attach(ISDACriterion(), LoRA())


class Adapted(nn.Module):
    """A classifier with an adapter of two parameters around its layer."""

    def __init__(self):
        super().__init__()
        self.base_layer, self.change = nn.Linear(4, 3), nn.Parameter(torch.randn(3, 4))

    def forward(self, features):
        return self.base_layer(features) + F.linear(features, self.change)

    def merge(self):
        with torch.no_grad():
            self.base_layer.weight += self.change
            self.change.zero_()


def test_an_adapter_around_a_single_layer_is_an_error_with_a_remedy():
    layer, loss = Adapted(), ISDACriterion()
    with pytest.raises(ValueError, match=r'got Adapted. If a single layer computes the logits \(base_layer \(Linear\)\)'
                                         ', pass that one. If something is added .*: merge the adapter, or exclude'):
        attach(loss, layer)
    features, labels = torch.randn(6, 4), torch.arange(6) % 3
    layer.change.data *= 1e-4
    attach(loss, layer.base_layer)
    loss(layer(features), labels)  # an adapter begins without any effect
    layer.change.data *= 1e4
    with pytest.raises(RuntimeError, match='Merge an adapter, such as LoRA, that adds to them'):
        loss(layer(features), labels)
    layer.merge()
    assert_close(loss(layer(features), labels), F.cross_entropy(layer(features), labels))


class Cosine(nn.Linear):
    """A classifier that normalises inside."""

    def forward(self, features):
        return 16 * F.linear(F.normalize(features, dim=1), F.normalize(self.weight, dim=1))


class Bare(nn.Module):
    """The same without a Linear."""

    forward = Cosine.forward

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 4))


def test_classifiers_that_normalise_their_input_are_refused_with_a_remedy():
    with pytest.raises(ValueError, match='got Bare: if it normalises features and weight, normalise the features in a'):
        attach(ISDACriterion(), Bare())
    loss, layer = ISDACriterion(), Cosine(4, 3)
    attach(loss, layer)
    with pytest.raises(RuntimeError, match='A cosine classifier needs its normalisation in a layer'):
        loss(layer(torch.randn(6, 4)), torch.arange(6) % 3)


def pooled(layer):
    """Features, and the flattened logits of a layer at a single position."""
    features = torch.randn(9, 4, *layer.kernel_size)
    return features.flatten(1), layer(features).flatten(1)


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
@pytest.mark.parametrize('layer', [nn.Conv2d(4, 3, 1), nn.Conv1d(4, 3, 1), nn.Conv2d(4, 3, 3),
                                   nn.Conv3d(4, 3, (1, 2, 2))])
def test_flattened_logits_of_pooled_features_equal_a_linear_classifier(layer, kind):
    losses, linear = [ISDACriterion(kind), ISDACriterion(kind)], nn.Linear(layer.weight[0].numel(), 3)
    linear.load_state_dict(dict(weight=layer.weight.flatten(1), bias=layer.bias))
    for loss, classifier in zip(losses, (layer, linear), strict=True):
        loss.strength = STRENGTH
        attach(loss, classifier)
    for step in range(2):
        torch.manual_seed(step)
        features, logits = pooled(layer)
        labels = torch.arange(9) % 3
        found, expected = losses[0](logits, labels), losses[1](linear(features), labels)
        assert_close(found, expected)
        assert_close(torch.autograd.grad(found, layer.weight)[0].flatten(1),
                     torch.autograd.grad(expected, linear.weight)[0])
    assert_close(losses[0].statistics.covariance, losses[1].statistics.covariance)


def test_logits_of_a_map_that_were_flattened_are_an_error_with_a_remedy():
    loss, layer = ISDACriterion(), nn.Conv2d(4, 3, 1)
    attach(loss, layer)
    logits = layer(torch.randn(2, 4, 5, 6)).movedim(1, -1).flatten(0, 2)
    with pytest.raises(RuntimeError, match=r'Pass logits \(B, 3, ...\) as the convolution returns them'):
        loss(logits, torch.zeros(60, dtype=torch.int64))
    with pytest.raises(RuntimeError, match=r'Pass logits \(B, 3, ...\) as the convolution returns them'):
        loss(layer(torch.randn(2, 4, 5, 6)).flatten(2), torch.zeros(2, 30, dtype=torch.int64))
    loss(layer(torch.randn(2, 4, 5, 6)), torch.zeros(2, 5, 6, dtype=torch.int64))
    assert loss.statistics.count.tolist() == [60, 0, 0]


def test_logits_of_some_samples_are_an_error_with_a_working_remedy():
    model, (inputs, labels) = net(), batch()
    logits = model.fc(model.stem(inputs).relu())
    with pytest.raises(RuntimeError, match='Pass all logits of the last forward pass of the classifier, with ignored'):
        model.loss(logits[:9], labels[:9])
    labels[9:] = -100
    expected = isda_cross_entropy(logits, labels, model.fc.weight, snapshot(model)[2], 0.0)
    assert sum(counts(model)) == 0
    model.loss.strength = 0.0
    assert_close(model.loss(logits, labels), expected)
    assert sum(counts(model)) == 9


def test_logits_of_other_classes_are_an_error_that_names_the_classifier():
    for layer, features in ((nn.Conv2d(4, 3, 1), torch.randn(2, 4, 5, 6)), (nn.Linear(4, 3), torch.randn(6, 4))):
        loss = ISDACriterion()
        attach(loss, layer)
        logits = layer(features)
        with pytest.raises(RuntimeError, match=r'Flatten logits of tokens .* or attach the classifier of these logits'):
            loss(torch.cat([logits, logits], dim=1), torch.zeros(logits[:, 0].shape, dtype=torch.int64))


def test_a_single_sample_without_batch_dimension_is_an_error_with_a_remedy():
    loss, layer = ISDACriterion(), nn.Linear(4, 3)
    attach(loss, layer)
    features = torch.randn(4)
    with pytest.raises(RuntimeError, match=r'has 1 dimensions, ISDA needs 2: add a batch dimension with unsqueeze'):
        loss(layer(features), torch.tensor(1))
    logits = layer(features.unsqueeze(0))
    assert torch.equal(loss(logits, torch.tensor([1])), F.cross_entropy(logits, torch.tensor([1])))


def test_a_wrong_number_of_class_weights_is_an_error_at_attach():
    loss = ISDACriterion(base=nn.CrossEntropyLoss(weight=torch.ones(CLASSES + 1)))
    with pytest.raises(ValueError, match='CrossEntropyLoss has 4 class weights, the classifier 3 classes: give one'):
        attach(loss, nn.Linear(CHANNELS, CLASSES))
    assert attach(ISDACriterion(base=nn.CrossEntropyLoss(weight=torch.ones(CLASSES))), nn.Linear(5, CLASSES)) is None


def test_a_detached_classifier_equals_one_never_attached(tmp_path):
    model, (inputs, labels) = net(), batch()
    model.loss.strength = STRENGTH
    model(inputs, labels).backward()
    count = model.loss.statistics.count.clone()
    detach(model.loss, model.fc)
    assert not model.fc._forward_pre_hooks and not model.fc._forward_pre_hooks_with_kwargs
    scripted = torch.jit.script(model.fc)
    features = torch.randn(2, CHANNELS)
    assert torch.equal(scripted(features), model.fc(features))
    assert torch.equal(model.loss.statistics.count, count)
    with pytest.raises(RuntimeError, match='not attached'):
        model(inputs, labels)
    with pytest.raises(ValueError, match='the loss is not attached to this Linear'):
        detach(model.loss, model.fc)
    attach(model.loss, model.fc)
    assert model(inputs, labels).isfinite()


def test_statistics_from_a_checkpoint_do_not_count_as_attached():
    trained, fresh = ISDACriterion(), ISDACriterion()
    classifier = nn.Linear(4, 3)
    attach(trained, classifier)
    fresh.load_state_dict(trained.state_dict())
    with pytest.raises(RuntimeError, match='not attached'):
        fresh(torch.zeros(2, 3, requires_grad=True), torch.zeros(2, dtype=torch.int64))


# -- calling conventions -----------------------------------------------------------------------------------------------

def expected_of(model, inputs, labels):
    """Loss and statistics of the model called in the ordinary way."""
    twin = copy.deepcopy(model)
    return twin(inputs, labels), snapshot(twin)


def test_a_classifier_may_be_called_by_keyword():
    model, (inputs, labels) = net(), batch()
    expected, statistics = expected_of(model, inputs, labels)
    assert torch.equal(model.loss(model.fc(input=model.stem(inputs).relu()), labels), expected)
    assert same(model, statistics)


def test_logits_of_tokens_flattened_with_their_labels_are_samples():
    model, (inputs, labels) = net(), batch()
    expected, statistics = expected_of(model, inputs, labels)
    tokens = model.stem(inputs).relu().view(4, 6, CHANNELS)
    assert torch.equal(model.loss(model.fc(tokens).flatten(0, 1), labels), expected)
    assert same(model, statistics)


def test_unflattened_logits_of_tokens_are_an_error_with_a_remedy():
    model, (inputs, labels) = net(), batch()
    before, logits = snapshot(model), model.fc(model.stem(inputs).relu().view(4, 6, CHANNELS))
    with pytest.raises((RuntimeError, ValueError), match=r'Flatten logits of tokens to \(N, 3\)|must agree'):
        model.loss(logits, labels.view(4, 6)[:, :CLASSES])
    assert same(model, before)


def test_channels_first_token_logits_equal_flattened_ones():
    found = []
    for flat in (True, False):
        model, (inputs, labels) = net(), batch()
        logits = model.fc(model.stem(inputs).relu().view(4, 6, CHANNELS))
        found.append(model.loss(logits.flatten(0, 1), labels) if flat else
                     model.loss(logits.mT, labels.view(4, 6)))
        found[-1].backward()
        found.append(model.fc.weight.grad)
    assert torch.allclose(found[0], found[2]) and torch.allclose(found[1], found[3])


@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('shape', [(6, 10), (60,)])
def test_a_linear_whose_logits_are_reshaped_to_maps_is_a_1x1_convolution(shape, resolution):
    """Maps (B, h, w, A) and tokens (B, h w, A), upsampled to labels of a size that is no multiple."""
    linear, (features, labels) = nn.Linear(CHANNELS, CLASSES), (torch.randn(2, CHANNELS, 6, 10),
                                                               torch.randint(CLASSES, (2, 23, 40)))
    conv = nn.Conv2d(CHANNELS, CLASSES, 1)
    conv.load_state_dict({'weight': linear.weight[:, :, None, None], 'bias': linear.bias})
    found = []
    for classifier in (linear, conv):
        loss = ISDACriterion(resolution=resolution)
        attach(loss, classifier)
        for strength in (STRENGTH, 2 * STRENGTH):  # the second step is checked at one position
            loss.strength = strength
            logits = conv(features) if classifier is conv else \
                linear(features.movedim(1, -1).reshape(2, *shape, CHANNELS)).movedim(-1, 1).view(2, CLASSES, 6, 10)
            value = loss(F.interpolate(logits, size=(23, 40), mode='bilinear'), labels)
        value.backward()
        found.append([value, *loss.statistics.moments, classifier.weight.grad.flatten(1), classifier.bias.grad])
    assert_close(*found)


def test_tokens_that_do_not_form_a_map_are_an_error():
    classifier, loss = nn.Linear(CHANNELS, CLASSES), ISDACriterion()
    attach(loss, classifier)
    logits = classifier(torch.randn(2, 37, CHANNELS))[:, 1:].movedim(-1, 1).reshape(2, CLASSES, 6, 6)
    with pytest.raises(RuntimeError, match=r'37 tokens entered.*6 x 6 of the logits. Remove a class token .* or pass '
                                           r'the logits of all tokens as \(N, C\), with an ignored label for it'):
        loss(logits, torch.zeros(2, 6, 6, dtype=torch.int64))
    assert int(loss.statistics.count.sum()) == 0
    labels = torch.zeros(2, 37, dtype=torch.int64)
    labels[:, 0] = -100
    loss(classifier(torch.randn(2, 37, CHANNELS)).flatten(0, 1), labels.flatten())
    assert int(loss.statistics.count.sum()) == 72


@pytest.mark.parametrize('attached', [False, True])
def test_a_wrong_align_corners_is_an_error_with_a_working_remedy(attached):
    classifier, loss = nn.Conv2d(CHANNELS, CLASSES, 1), ISDACriterion()
    features, labels = torch.randn(2, CHANNELS, 5, 5), torch.randint(CLASSES, (2, 17, 17))

    def logits():
        return F.interpolate(classifier(features), size=(17, 17), mode='bilinear', align_corners=not attached)

    attach(loss, classifier, align_corners=attached)
    with pytest.raises(RuntimeError, match=rf'attach\(loss, classifier, align_corners={not attached}\)'):
        loss(logits(), labels)
    attach(loss, classifier, align_corners=not attached)
    assert torch.equal(loss(logits(), labels), loss.base(logits(), labels))  # at strength 0


@pytest.mark.filterwarnings('ignore:.*weight_norm.* is deprecated')
@pytest.mark.parametrize('normed', [nn.utils.weight_norm, nn.utils.parametrizations.weight_norm])
def test_a_parametrized_weight_has_the_gradients_of_eq_7(normed):
    model = net()
    model.fc = normed(model.fc)
    for step in range(3):
        inputs, labels = batch(step)
        model.zero_grad()
        model(inputs, labels).backward()
        found = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        weight = (model.fc(torch.eye(CHANNELS)) - model.fc(torch.zeros(1, CHANNELS))).t()
        isda_cross_entropy(model.fc(model.stem(inputs).relu()), labels, weight, model.loss.statistics.covariance,
                           STRENGTH).backward()
        for actual, parameter in zip(found, model.parameters(), strict=True):
            assert_close(actual, parameter.grad)


class Counted(nn.Module):
    """A parametrization that counts its calls, and changes its buffer in each."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.register_buffer('number', torch.zeros(()))

    def forward(self, weight):
        self.calls.append(len(self.calls))
        self.number += 1
        return weight / 2


class Scaled(nn.Module):
    """A parametrization by a state that each call changes: a tensor in place, as a buffer or not, or a number."""

    def __init__(self, state, buffer=False):
        super().__init__()
        (self.register_buffer if buffer else self.__setattr__)('state', state)

    def forward(self, weight):
        self.state += 1e-3
        return weight * self.state


class Noisy(nn.Module):
    """A parametrization that adds random numbers in eval mode too, from the default or a separate generator."""

    def __init__(self, generator=None):
        super().__init__()
        self.generator = generator

    def forward(self, weight):
        return weight + 1e-3 * torch.randn(weight.shape, generator=self.generator)


class NoisyProperty(nn.Linear):
    """A classifier whose weight is a property that adds random numbers."""


def noisy_property(layer):
    layer.raw = layer._parameters.pop('weight')
    layer.__class__ = NoisyProperty
    NoisyProperty.weight = property(lambda self: self.raw + 1e-3 * torch.randn(self.raw.shape))
    return layer


def parametrized(make):
    return lambda layer: nn.utils.parametrize.register_parametrization(layer, 'weight', make())


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
@pytest.mark.filterwarnings('ignore:.*spectral_norm.* is deprecated')
@pytest.mark.parametrize('late', [False, True])
@pytest.mark.parametrize('normed', [
    nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm,
    parametrized(Counted), parametrized(lambda: Scaled(torch.ones(()))), parametrized(lambda: Scaled(1.0)),
    parametrized(lambda: Scaled(torch.ones(()), buffer=True)), parametrized(Noisy),
    parametrized(lambda: Noisy(torch.Generator().manual_seed(0))), noisy_property])
def test_a_weight_with_state_trains_as_without_isda(normed, late, kind):
    trained = []
    for attached in (False, True):
        torch.manual_seed(0)
        layer, loss = nn.Linear(4, CLASSES), ISDACriterion(kind)
        if late and attached:
            attach(loss, layer)
        layer = normed(layer)
        counted = [part for part in layer.modules() if isinstance(part, Counted)]
        calls = sum(len(part.calls) for part in counted)
        if attached:
            attach(loss, layer)
        assert sum(len(part.calls) for part in counted) == calls
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        for step in range(3):
            inputs, labels = batch(step)
            logits = layer(inputs)
            (loss if attached else F.cross_entropy)(logits, labels).backward()
            if attached:
                loss.table()
            optimizer.step()
            optimizer.zero_grad()
        trained.append(layer.state_dict())
        reads = 3 * (1 + attached)  # once more in each step
        assert [len(part.calls) - calls for part in counted] == [reads] * len(counted)
    plain, augmented = trained
    assert all(torch.equal(augmented[name], value) for name, value in plain.items())


class Dropped(nn.Module):
    """DropConnect."""

    def forward(self, weight):
        return F.dropout(weight, 0.5, self.training)


def test_a_random_weight_trains_with_the_eq_7_of_a_cached_forward_pass():
    model, (inputs, labels) = net(), batch()
    nn.utils.parametrize.register_parametrization(model.fc, 'weight', Dropped())
    with pytest.raises(RuntimeError, match='the logits of the captured features differ'):
        model(inputs, labels)
    with nn.utils.parametrize.cached():
        loss, weight = model(inputs, labels), model.fc.weight
        logits = model.fc(model.stem(inputs).relu())
    assert torch.equal(loss, isda_cross_entropy(logits, labels, weight, model.loss.statistics.covariance, STRENGTH))


@pytest.mark.parametrize('reentrant', [False, True])
def test_a_loss_in_a_checkpointed_block_is_an_error_with_a_remedy(reentrant):
    model, (inputs, labels) = net(), batch()
    with pytest.raises(RuntimeError, match='Checkpoint only the network, and call the loss on its output'):
        checkpoint(model, inputs.requires_grad_(), labels, use_reentrant=reentrant).backward()


# -- copies and recomputation ------------------------------------------------------------------------------------------

def test_a_copy_does_not_contain_the_captured_input():
    model = net()
    inputs, labels = batch()
    logits = model.fc(model.stem(inputs).relu())
    twin = copy.deepcopy(model.loss)
    with pytest.raises(RuntimeError, match='without a new forward pass'):
        twin(logits, labels)
    assert torch.equal(model.loss(logits, labels), net()(inputs, labels))


@pytest.mark.parametrize('first', ['stem', 'loss'])
def test_a_deep_copy_trains_in_either_order_of_loss_and_classifier(first):
    model = net()
    if first == 'loss':
        for name in ('stem', 'fc'):
            model._modules[name] = model._modules.pop(name)
    assert next(iter(model._modules)) == first
    model(*batch())
    twin, before = copy.deepcopy(model), counts(model)
    found = twin(*batch(1))
    assert (sum(counts(twin)), counts(model)) == (48, before)
    assert torch.equal(model(*batch(1)), found) and same(twin, snapshot(model))
    assert torch.equal(twin.loss.table(), model.loss.table())


def test_a_teacher_without_gradients_observes_nothing():
    model = net()
    teacher = copy.deepcopy(model)
    with torch.no_grad():
        teacher(*batch())
    model(*batch())
    assert (sum(counts(model)), sum(counts(teacher))) == (24, 0)


@pytest.mark.parametrize('recompute', ['reentrant', 'non-reentrant'])
def test_recomputation_observes_once_and_keeps_loss_and_gradients(recompute):
    plain, recomputing = net(), net(recompute=recompute)
    for step in range(3):
        losses = [model(*batch(step)) for model in (plain, recomputing)]
        for model, loss in zip((plain, recomputing), losses, strict=True):
            model.zero_grad()
            loss.backward()
        assert torch.equal(*losses)
        assert counts(recomputing) == counts(plain) and sum(counts(plain)) == 24 * (step + 1)
        assert same(recomputing, snapshot(plain))
        for a, b in zip(plain.parameters(), recomputing.parameters(), strict=True):
            assert_close(a.grad, b.grad)


@pytest.mark.parametrize('recompute', ['reentrant', 'non-reentrant'])
def test_recomputation_captures_no_input(recompute):
    model = net(recompute=recompute)
    inputs, labels = batch()
    model(inputs, labels).backward()
    with pytest.raises(RuntimeError, match='without a new forward pass'):
        model.loss(torch.zeros(24, CLASSES, requires_grad=True), labels)
