"""CNN-13: shapes and parameter count of Table 10, noise only in training, initialisation for leaky ReLU."""
import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from isda_seg.paper.semi_cifar import CNN13


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_table_10_has_3_121_802_parameters_with_ten_classes():
    convolutions = 9 * (3 * 128 + 2 * 128 * 128 + 128 * 256 + 2 * 256 * 256 + 256 * 512) + 512 * 256 + 256 * 128
    normalisations = 2 * (3 * 128 + 3 * 256 + 512 + 256 + 128)
    with torch.device('meta'):
        model = MODELS.build(dict(type='ImageClassifier', backbone=dict(type='CNN13'), num_classes=10))
    found = sum(parameter.numel() for parameter in model.parameters())
    assert found == convolutions + normalisations + 128 * 10 + 10 == 3_121_802
    assert model.fc.in_features == 128


def test_the_layers_are_those_of_table_10_in_its_order():
    with torch.device('meta'):
        layers = [layer for layer in CNN13().modules() if not list(layer.children())]
    kinds = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    assert [type(layer) for layer in layers] == 2 * (3 * kinds + [nn.MaxPool2d, nn.Dropout]) + 3 * kinds
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [128] * 3 + [256] * 3 + [512, 256, 128]
    assert [layer.kernel_size[0] for layer in convolutions] == [3] * 7 + [1] * 2
    assert {layer.negative_slope for layer in layers if isinstance(layer, nn.LeakyReLU)} == {0.1}
    assert {layer.p for layer in layers if isinstance(layer, nn.Dropout)} == {0.5}
    assert {layer.bias for layer in convolutions} == {None}


@pytest.mark.parametrize('width, channels', [(1, 128), (0.125, 16)])
def test_an_image_becomes_a_map_of_6_by_6(width, channels):
    network = CNN13(width=width)
    maps = network(torch.zeros(2, 3, 32, 32))
    assert [tuple(one.shape) for one in maps] == [(2, channels, 6, 6)]
    assert network.out_channels == channels


def test_noise_is_added_to_images_in_training_alone():
    network = CNN13(width=0.125, noise=0.15)
    seen = []
    network.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    images = torch.ones(8, 3, 32, 32)
    network.train()(images)
    network.eval()(images)
    assert (seen[0] - images).std().item() == pytest.approx(0.15, rel=0.02)
    assert torch.equal(seen[1], images)


def test_noise_is_off_by_default():
    network = CNN13(width=0.125, dropout=0.0)
    images = torch.randn(4, 3, 32, 32)
    assert torch.equal(network(images)[0], network(images)[0])


def test_initial_variance_matches_the_leaky_relu():
    network = CNN13(width=0.5)
    network.init_weights()
    for conv in (layer for layer in network.modules() if isinstance(layer, nn.Conv2d)):
        fan_out = conv.out_channels * conv.kernel_size[0] ** 2
        assert conv.weight.std().item() == pytest.approx((2 / 1.01 / fan_out) ** 0.5, rel=0.05)


@pytest.mark.parametrize('keys', [dict(width=0), dict(width=0.001), dict(noise=-0.1)])
def test_a_network_without_channels_or_with_negative_noise_is_an_error(keys):
    with pytest.raises(ValueError, match='CNN13 needs a width of about 1/128 or more and noise >= 0, got'):
        CNN13(**keys)
