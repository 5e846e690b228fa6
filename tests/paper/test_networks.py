"""Properties of the networks of Tables 1-4: size, interface, and features of each family."""

import math

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from torch.testing import assert_close

from isda_seg.classification.resnet_cifar import ResNetCifar
from isda_seg.paper.networks import SEResNetCifar, ShakeShake, WideResNet
from isda_seg.paper.networks.densenet import DenseLayer
from isda_seg.paper.networks.se_resnet_cifar import SqueezeExcitation
from isda_seg.paper.networks.shake_shake import OffsetShortcut, Shake, ShakeBlock
from isda_seg.paper.tables import CIFAR, IMAGENET

PRINTED = {  # Table 2: millions of parameters with 10 classes; analysis of Table 3: channels of the feature
    'ResNet-32': ('0.5', 64), 'ResNet-110': ('1.7', 64), 'SE-ResNet-110': ('1.7', 64),
    'Wide-ResNet-16-8': ('11.0', 512), 'Wide-ResNet-28-10': ('36.5', 640),
    'ResNeXt-29, 8x64d': ('34.4', 1024), 'DenseNet-BC-100-12': ('0.8', 342),
    'Shake-Shake (26, 2x32d)': ('3.0', 128), 'Shake-Shake (26, 2x112d)': ('36.4', 448)}
SMALL = {'ResNetCifar': dict(depth=8), 'SEResNetCifar': dict(depth=8), 'WideResNet': dict(depth=10, width=2),
         'ResNeXtCifar': dict(depth=11, groups=2, base_width=8), 'DenseNetCifar': dict(depth=10, growth=4),
         'ShakeShake': dict(channels=4, depth=8)}


def small(name):
    torch.manual_seed(0)
    return MODELS.build(dict(type=name, **SMALL[name]))


def images(count=2, size=16, seed=0):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def on_meta(config):
    with torch.device('meta'):
        return MODELS.build(config)


def parameters(network, channels, classes):
    """Of the network and of a linear layer behind it."""
    return sum(parameter.numel() for parameter in network.parameters()) + (channels + 1) * classes


def within_seeded(function, seed):
    torch.manual_seed(seed)
    return function()


@pytest.mark.parametrize('name', CIFAR)
def test_parameters_and_feature_channels_are_those_of_the_paper(name):
    network = on_meta(CIFAR[name].config)
    millions, channels = PRINTED[name]
    assert network.out_channels == channels
    assert f'{parameters(network, channels, 10) / 1e6:.1f}' == millions
    maps = network(torch.empty(2, 3, 32, 32, device='meta'))
    assert [tuple(features.shape) for features in maps] == [(2, channels, 8, 8)]


@pytest.mark.parametrize('name, millions', [('DenseNet-BC-121', '7.98'), ('DenseNet-BC-265', '33.34')])
def test_imagenet_densenets_have_the_published_size(name, millions):
    network = on_meta(IMAGENET[name].config)
    assert f'{parameters(network, network.out_channels, 1000) / 1e6:.2f}' == millions
    features, = network(torch.empty(1, 3, 224, 224, device='meta'))
    assert features.shape == (1, network.out_channels, 7, 7)


@pytest.mark.parametrize('name', [*CIFAR, 'DenseNet-BC-121'])
def test_the_loss_reaches_every_parameter_that_is_not_frozen(name):
    torch.manual_seed(0)
    network = MODELS.build({**CIFAR, **IMAGENET}[name].config)
    features, = network(images(size=32 if name in IMAGENET else 16))
    assert features.min() == 0  # pooling is behind the last ReLU
    features.square().mean().backward()
    parameters = dict(network.named_parameters())
    missed = {key for key, parameter in parameters.items() if parameter.grad is None}
    assert missed == {key for key, parameter in parameters.items() if not parameter.requires_grad}
    idle = {key for key in missed if '.shortcut.' in key}
    assert missed == idle and bool(idle) == name.startswith('Shake-Shake')
    zero = [key for key in parameters.keys() - missed if not parameters[key].grad.any()]
    assert [key for key in zero if '.gate.' not in key] == []  # a gate's one hidden unit may be off


@pytest.mark.parametrize('name', SMALL)
def test_evaluation_is_deterministic_and_independent_of_the_batch(name):
    network = small(name).eval()
    with torch.no_grad():
        together, = network(images(3))
        alone = torch.cat([network(image[None])[0] for image in images(3)])
    assert_close(together, alone)


@pytest.mark.parametrize('name', SMALL)
def test_initialisation_is_he_normal_over_the_fan_out(name):
    network = MODELS.build(dict(type=name, **SMALL[name]))
    network.init_weights()
    scaled = [conv.weight * math.sqrt(conv.out_channels * math.prod(conv.kernel_size) / 2)
              for conv in network.modules() if isinstance(conv, nn.Conv2d)]
    values = torch.cat([weight.flatten() for weight in scaled])
    assert abs(values.mean()) < 4 / math.sqrt(len(values))
    assert abs(values.std() - 1) < 4 / math.sqrt(2 * len(values))
    assert all((norm.weight == 1).all() and (norm.bias == 0).all()
               for norm in network.modules() if isinstance(norm, nn.BatchNorm2d))


@pytest.mark.parametrize('config, message', [
    (dict(type='ResNetCifar', depth=33), r'6 n \+ 2 with n >= 1, got 33'),
    (dict(type='SEResNetCifar', depth=2), r'6 n \+ 2 with n >= 1, got 2'),
    (dict(type='WideResNet', depth=26, width=2), r'6 n \+ 4 with n >= 1, got 26'),
    (dict(type='ResNeXtCifar', depth=30), r'9 n \+ 2 with n >= 1, got 30'),
    (dict(type='DenseNetCifar', depth=101), r'6 n \+ 4 with n >= 1, got 101'),
    (dict(type='DenseNetImageNet', depth=169), r'one of \[121, 265\], got 169'),
    (dict(type='ShakeShake', channels=32, depth=27), r'6 n \+ 2 with n >= 1, got 27'),
    (dict(type='ShakeShake', channels=33), 'even, .* got 33')])
def test_invalid_depth_is_an_error(config, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(config)


def test_gate_scales_each_channel_by_a_factor_in_0_to_1():
    torch.manual_seed(0)
    x = torch.rand(3, 32, 4, 4, dtype=torch.float64) + 0.5
    factor = SqueezeExcitation(32).double()(x) / x
    assert_close(factor, factor[:, :, :1, :1].expand_as(x))
    assert 0 < factor.min() and factor.max() < 1
    assert len(factor[:, :, 0, 0].unique()) == 3 * 32


@pytest.mark.parametrize('kind, keys', [(WideResNet, dict(depth=10, width=2)), (ResNetCifar, dict(depth=8)),
                                        (SEResNetCifar, dict(depth=8))])
def test_dropout_acts_in_training_only_and_changes_no_key(kind, keys):
    plain, dropped = (kind(dropout=rate, **keys) for rate in (0.0, 0.3))
    assert list(plain.state_dict()) == list(dropped.state_dict())
    dropped.load_state_dict(plain.state_dict())
    runs = [within_seeded(lambda network=network: network(images())[0], seed)
            for network in (plain, dropped) for seed in (0, 1)]
    assert torch.equal(runs[0], runs[1]) and not torch.equal(runs[2], runs[3])
    assert torch.equal(*(network.eval()(images())[0] for network in (plain, plain)))
    dropped.load_state_dict(plain.state_dict())
    assert torch.equal(plain(images())[0], dropped.eval()(images())[0])


def test_dense_layer_keeps_its_input():
    x = torch.randn(2, 6, 4, 4)
    kept = x.clone()
    out = DenseLayer(6, growth=4)(x)
    assert out.shape == (2, 10, 4, 4) and torch.equal(out[:, :6], kept)


def test_shake_mixes_by_alpha_and_returns_gradients_by_beta():
    a, b = (torch.tensor([[2.0], [4.0]], requires_grad=True), torch.tensor([[10.0], [20.0]], requires_grad=True))
    alpha, beta = torch.tensor([[0.25], [1.0]]), torch.tensor([[0.75], [0.5]])
    mixed = Shake.apply(a, b, alpha, beta)
    assert mixed.tolist() == [[8.0], [4.0]]
    mixed.backward(torch.tensor([[4.0], [8.0]]))
    assert a.grad.tolist() == [[3.0], [4.0]] and b.grad.tolist() == [[1.0], [4.0]]


class Given(nn.Module):
    """Ignores its input and returns a tensor."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value


def shaken(count):
    """The alpha and the beta that a block drew for each of `count` images."""
    one, zero = torch.ones(count, 1, 1, 1, requires_grad=True), torch.zeros(count, 1, 1, 1, requires_grad=True)
    block = ShakeBlock(1, 1, 1, idle_shortcut=False)
    block.branches = nn.ModuleList([Given(one), Given(zero)])
    alpha = block(torch.zeros(count, 1, 1, 1))
    alpha.sum().backward()
    assert torch.equal(zero.grad, 1 - one.grad)
    return alpha.detach().flatten(), one.grad.flatten()


def test_shake_is_independent_per_image_and_in_the_backward_pass():
    torch.manual_seed(0)
    alpha, beta = shaken(4000)
    for drawn in (alpha, beta):
        assert 0 <= drawn.min() and drawn.max() <= 1 and len(drawn.unique()) > 3900
        assert abs(drawn.mean() - 0.5) < 0.02 and abs(drawn.var() - 1 / 12) < 0.005
    assert abs(torch.corrcoef(torch.stack([alpha, beta]))[0, 1]) < 0.06
    assert not torch.equal(alpha, shaken(4000)[0])


def test_equal_images_differ_after_shaking_and_agree_in_evaluation():
    network = ShakeShake(channels=4, depth=8)
    twice = images(1).repeat(2, 1, 1, 1)
    first, second = network(twice)[0]
    assert not torch.equal(first, second)
    first, second = network.eval()(twice)[0]
    assert torch.equal(first, second)


def test_evaluation_takes_the_mean_of_both_branches():
    torch.manual_seed(0)
    block = ShakeBlock(4, 8, 2, idle_shortcut=False).eval()
    x = torch.randn(2, 4, 6, 6)
    a, b = (branch(x) for branch in block.branches)
    assert_close(block(x), 0.5 * a + 0.5 * b + block.shortcut(x))


@pytest.mark.parametrize('stride', [1, 2])
def test_halves_of_the_shortcut_use_shifted_grids(stride):
    shortcut = OffsetShortcut(1, 2, stride)
    shortcut.norm = nn.Identity()
    nn.init.ones_(shortcut.even.weight)
    nn.init.constant_(shortcut.odd.weight, 2.0)
    x = torch.arange(-3.0, 13.0).view(1, 1, 4, 4)
    out = shortcut(x)[0]
    for i in range(0, 4, stride):
        for j in range(0, 4, stride):
            off = x[0, 0, i + 1, j + 1] if i < 3 and j < 3 else torch.tensor(0.0)
            assert out[:, i // stride, j // stride].tolist() == [max(x[0, 0, i, j], 0), 2 * max(off, 0)]


@pytest.mark.parametrize('training', [True, False])
def test_idle_shortcuts_change_nothing_but_the_count(training):
    with_idle, without = (ShakeShake(channels=4, depth=14, idle_shortcuts=idle) for idle in (True, False))
    missing, unexpected = without.load_state_dict(with_idle.state_dict(), strict=False)
    assert missing == [] and {key.split('.')[3] for key in unexpected} == {'shortcut'}
    runs = [within_seeded(lambda network=network: network.train(training)(images())[0], 0)
            for network in (with_idle, without)]
    assert torch.equal(*runs)


@pytest.mark.parametrize('channels, millions', [(32, '2.9'), (112, '35.6')])
def test_without_idle_shortcuts_the_size_is_that_of_the_original_paper(channels, millions):
    network = on_meta(dict(type='ShakeShake', channels=channels, idle_shortcuts=False))
    assert f'{parameters(network, network.out_channels, 10) / 1e6:.1f}' == millions
