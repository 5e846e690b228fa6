"""Multiply-adds: Tables 1 and 3, hand counts, and the counter of torch."""

import itertools

import pytest
import torch
from helpers.exhaustive import exhaustive
from mmengine.registry import MODELS
from torch import nn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

import isda_seg.paper.networks  # noqa: F401  # registers them
from isda_seg.core import class_moments, isda_cross_entropy, margin
from isda_seg.paper.cost.flops import UPDATE, expected_present, implementation_extra, multiply_adds, paper_extra
from isda_seg.paper.tables import CIFAR, IMAGENET

# Table 3: standard cost; additional cost in M and in %, CIFAR-10 and CIFAR-100; and the channels of the feature.
TABLE_3 = {
    'ResNet-32': ('69.43M', ('0.05', '0.07'), ('0.44', '0.63'), 64),
    'ResNet-110': ('254.20M', ('0.05', '0.02'), ('0.44', '0.17'), 64),
    'SE-ResNet-110': ('254.73M', ('0.05', '0.02'), ('0.44', '0.17'), 64),
    'Wide-ResNet-16-8': ('1.55G', ('2.96', '0.19'), ('27.19', '1.76'), 512),
    'Wide-ResNet-28-10': ('5.25G', ('4.61', '0.09'), ('42.46', '0.81'), 640),
    'ResNeXt-29, 8x64d': ('5.39G', ('11.80', '0.22'), ('109.00', '2.02'), 1024),
    'DenseNet-BC-100-12': ('292.38M', ('1.35', '0.46'), ('12.43', '4.25'), 342),
    'Shake-Shake (26, 2x32d)': ('426.69M', ('0.19', '0.04'), ('1.76', '0.41'), 128),
    'Shake-Shake (26, 2x112d)': ('5.13G', ('2.31', '0.05'), ('21.30', '0.42'), 448)}
UNITS = {'M': 1e6, 'G': 1e9}
# Table 1: additional cost in %; DenseNet-BC-121, which the formula puts at 0.18, is the one that differs (0.20).
TABLE_1 = {'ResNet-50': '0.25', 'ResNet-101': '0.13', 'ResNet-152': '0.09', 'DenseNet-BC-121': '0.18',
           'DenseNet-BC-265': '0.24', 'ResNeXt-50, 32x4d': '0.24', 'ResNeXt-101, 32x8d': '0.06'}


def on_meta(config, size):
    """A network on the meta device, and how many channels its feature map has."""
    with torch.device('meta'):
        network = MODELS.build(config)
        return network, network(torch.empty(2, 3, size, size))[-1].shape[1]


def before_rounding(printed):
    """The least and the largest number that are printed so."""
    number, unit = float(printed[:-1]), UNITS[printed[-1]]
    return (number - 0.005) * unit, (number + 0.005) * unit


@exhaustive('name', CIFAR)
def test_multiply_adds_match_table_3_within_2_per_cent(name):
    network, channels = on_meta(CIFAR[name].config, 32)
    assert multiply_adds(network) + 10 * channels == pytest.approx(sum(before_rounding(TABLE_3[name][0])) / 2, rel=0.02)


@pytest.mark.parametrize('name', CIFAR)
def test_full_formula_reproduces_table_3_except_one_cell(name):
    standard, *cells, channels = TABLE_3[name]
    for classes, (absolute, relative) in zip((10, 100), cells, strict=True):
        extra = paper_extra(classes, channels, CIFAR[name].batch)
        if (name, classes) == ('ResNeXt-29, 8x64d', 100):
            absolute = '108.57'  # the paper prints 109.00
        assert f'{extra / 1e6:.2f}' == absolute
        least, most = (100 * extra / cost for cost in reversed(before_rounding(standard)))
        assert float(f'{least:.2f}') <= float(relative) <= float(f'{most:.2f}')


@exhaustive('name', IMAGENET)
def test_diagonal_formula_reproduces_table_1(name):
    config, batch = IMAGENET[name]
    network, channels = on_meta(config, 224)
    total = multiply_adds(network, (3, 224, 224)) + 1000 * channels
    assert f'{100 * paper_extra(1000, channels, batch, "diagonal") / total:.2f}' == TABLE_1[name]


def test_multiply_adds_equal_a_hand_count():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
                            nn.Conv2d(8, 12, 5, padding=2, groups=4), nn.Flatten(), nn.Linear(12 * 4 * 4, 5))
    first, second, last = 4 * 4 * 8 * 3 * 9, 4 * 4 * 12 * 2 * 25, 12 * 4 * 4 * 5
    assert multiply_adds(network, (3, 8, 8)) == first + second + last


def test_counting_does_not_change_the_model():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Sequential(nn.Dropout()))
    network[1].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    multiply_adds(network, (3, 4, 4))
    assert [module.training for module in network.modules()] == [True, True, False, True, True]
    assert_close(network.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize('classes, batch', [(2, 1), (3, 4), (4, 3)])
def test_expected_present_equals_the_mean_over_all_labellings(classes, batch):
    drawn = [len(set(labels)) for labels in itertools.product(range(classes), repeat=batch)]
    assert expected_present(classes, batch) == pytest.approx(sum(drawn) / len(drawn))


@pytest.mark.parametrize('covariance', ['full', 'diagonal'])
@pytest.mark.parametrize('classes, channels, batch, present', [(5, 7, 20, 5), (12, 8, 36, 9), (30, 6, 10, 4)])
def test_implementation_count_equals_the_count_of_torch(covariance, classes, channels, batch, present,
                                                                     monkeypatch):
    """Of its products; torch counts nothing element-wise, so that is taken off: update, squares, scaling, addition."""
    monkeypatch.setattr(margin, 'DIFFERENCES_CPU', 0)  # as where classes are many
    features, labels = torch.randn(batch, channels), torch.arange(batch) % present
    weight = torch.randn(classes, channels)

    def counted(function, *args, **kwargs):
        with FlopCounterMode(display=False) as counter:
            result = function(*args, **kwargs)
        return result, counter.get_total_flops() / 2

    moments, statistics = counted(class_moments, features, labels, classes, covariance=covariance)
    _, table = counted(isda_cross_entropy, features @ weight.t(), labels, weight, moments.covariance, 0.5)
    extra = implementation_extra(classes, channels, batch, covariance, present)
    if covariance == 'full':
        statistics += UPDATE * present * channels ** 2 + 2 * batch * channels
        table += present * classes * channels
    else:
        statistics += UPDATE * classes * channels
        table += classes * channels + 2 * min(batch, classes) * channels
    assert (statistics / batch, table / batch, classes) == pytest.approx(extra)


def test_full_table_row_per_sample_equals_the_papers_count():
    extra = implementation_extra(100, 64, 32, present=32)
    assert extra.table == 100 * 64 * 64 + 100 * 64
    assert implementation_extra(100, 64, 32).total < paper_extra(100, 64, 32)


def test_unknown_covariance_is_rejected():
    for count in (paper_extra, implementation_extra):
        with pytest.raises(ValueError, match="Unknown covariance 'shared'. Choose 'full' or 'diagonal'"):
            count(10, 64, 128, 'shared')
