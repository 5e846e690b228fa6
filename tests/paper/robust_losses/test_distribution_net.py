"""Properties of DistributionNetLoss: reference terms and limits."""
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal
from torch.testing import assert_close

from isda_seg.paper.robust_losses import DistributionNetLoss
from isda_seg.paper.robust_losses.distribution_net import missing_entropy

CLASSES, CHANNELS, SAMPLES, SIZE = 4, 6, 10, 3


def built(**keys):
    """The loss, and what it is called with."""
    torch.manual_seed(0)
    classifier = nn.Linear(CHANNELS, CLASSES)
    maps = torch.randn(SAMPLES, CHANNELS, SIZE, SIZE).relu()
    called = dict(features=maps.mean(dim=(2, 3)), labels=torch.arange(SAMPLES) % CLASSES, maps=maps,
                  classifier=classifier)
    return DistributionNetLoss(classifier, SIZE, **keys), called


def spread_of(loss, sigma):
    """Let every standard deviation be sigma."""
    nn.init.zeros_(loss.spread.weight)
    nn.init.constant_(loss.spread.bias, math.log(math.expm1(sigma)))


def test_value_is_the_cross_entropy_of_a_sample_plus_missing_entropy():
    loss, called = built(average=0.9, sample_weight=0.3, uncertainty_weight=0.2, label_smoothing=0.1)
    torch.manual_seed(3)
    found = loss(**called)
    torch.manual_seed(3)
    noise = torch.randn(SAMPLES, CHANNELS)
    total = 0
    for n in range(SAMPLES):
        sigma = torch.log(1 + torch.exp((loss.spread.weight * called['maps'][n]).sum(dim=(1, 2, 3)) + loss.spread.bias))
        log_p = called['classifier'](called['features'][n] + sigma * noise[n]).log_softmax(dim=0)
        entropy = -0.9 * log_p[called['labels'][n]] - 0.1 * log_p.mean()
        gamma = math.log(0.9) + (1 + math.log(2 * math.pi)) / 2
        total = total + 0.3 * entropy + 0.2 * max(0, gamma - Normal(0, sigma).entropy().mean())
    assert_close(found, total / SAMPLES)
    assert missing_entropy(torch.full((2, 5), 0.9), 0.8) == 0


def test_zero_deviation_gives_the_cross_entropy_of_the_mean():
    loss, called = built(average=1.0, label_smoothing=0.0)
    spread_of(loss, 1e-6)
    plain = F.cross_entropy(called['classifier'](called['features']), called['labels'])
    assert_close(loss(**called), 0.1 * plain + 0.001 * math.log(1e6), rtol=1e-5, atol=1e-5)


def test_eval_mode_uses_the_mean_without_sampling():
    loss, called = built(average=1e-3, label_smoothing=0.1)
    state = torch.get_rng_state()
    plain = F.cross_entropy(called['classifier'](called['features']), called['labels'], label_smoothing=0.1)
    assert_close(loss.eval()(**called), 0.1 * plain)
    assert torch.equal(torch.get_rng_state(), state)


def test_missing_entropy_increases_sigma_to_the_target():
    loss, called = built(average=0.5, sample_weight=0.0, uncertainty_weight=1.0)
    spread_of(loss, 0.2)
    (slope,) = torch.autograd.grad(loss(**called), loss.spread.bias)
    rate = (1 - math.exp(-0.2)) / 0.2  # d ln sigma / d bias at sigma = 0.2
    assert_close(slope, torch.full_like(slope, -rate / CHANNELS))
    spread_of(loss, 0.6)
    assert float(loss(**called).detach()) == 0


@pytest.mark.parametrize('keys, words', [
    (dict(average=0), 'average must be a positive finite number, got 0'),
    (dict(average=math.inf), 'average must be a positive finite number, got inf'),
    (dict(sample_weight=-1), 'sample_weight must be a finite number >= 0, got -1')])
def test_invalid_arguments_are_errors(keys, words):
    with pytest.raises(ValueError, match=words):
        built(**keys)


def test_map_size_must_match():
    loss, called = built()
    called['maps'] = torch.zeros(SAMPLES, CHANNELS, 8, 5)
    with pytest.raises(ValueError, match=r'map_size=\(3, 3\), but the last map has size \(8, 5\). Set map_size'):
        loss(**called)
    fitting = DistributionNetLoss(called['classifier'], map_size=(8, 5))
    assert fitting.spread.weight.shape == (CHANNELS, CHANNELS, 8, 5)
    assert fitting(**called).shape == ()
