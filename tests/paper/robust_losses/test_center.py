"""Properties of CenterLoss: gradient and centre updates."""
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from isda_seg.paper.robust_losses import CenterLoss, center

CLASSES, CHANNELS, SAMPLES = 4, 6, 12


def batch(seed=0):
    """Labels of three of the four classes."""
    torch.manual_seed(seed)
    return torch.randn(SAMPLES, CHANNELS, requires_grad=True), torch.randint(CLASSES - 1, (SAMPLES,))


def followed(centers, features, labels, rate):
    """Eq. 4 of Wen et al., class by class."""
    moved = centers.clone()
    for y in range(CLASSES):
        members = [feature for feature, label in zip(features.detach(), labels, strict=True) if label == y]
        delta = sum((centers[y] - member for member in members), torch.zeros(CHANNELS)) / (1 + len(members))
        moved[y] = centers[y] - rate * delta
    return moved


def test_value_and_gradient_pull_features_to_their_centres():
    features, labels = batch()
    loss = CenterLoss(nn.Linear(CHANNELS, CLASSES), weight=0.3)
    loss.centers.normal_()
    offsets = (features - loss.centers[labels]).detach()
    value = loss(features, labels)
    assert_close(value, 0.3 / 2 * offsets.square().sum() / SAMPLES)
    assert_close(torch.autograd.grad(value, features)[0], 0.3 * offsets / SAMPLES)
    assert list(loss.parameters()) == []


def test_centre_updates_equal_the_rule_over_several_steps():
    loss, expected = CenterLoss(nn.Linear(CHANNELS, CLASSES), rate=0.5), torch.zeros(CLASSES, CHANNELS)
    for seed in range(3):
        features, labels = batch(seed)
        loss(features, labels)
        expected = followed(expected, features, labels, 0.5)
        assert_close(loss.centers, expected)
    assert torch.equal(loss.centers[-1], torch.zeros(CHANNELS))  # of the class without samples


def test_centres_are_constant_without_training():
    features, labels = batch()
    loss = CenterLoss(nn.Linear(CHANNELS, CLASSES))
    loss.centers.normal_()
    before = loss.centers.clone()
    with torch.no_grad():
        loss(features, labels)
    loss.eval()(features, labels)
    assert torch.equal(loss.centers, before)


def test_two_ranks_update_with_the_features_of_both(monkeypatch):
    features, labels = batch()
    alone, ranks = (CenterLoss(nn.Linear(CHANNELS, CLASSES)) for _ in range(2))
    alone(torch.cat([features, features]), torch.cat([labels, labels]))
    monkeypatch.setattr(center, 'all_reduce', lambda value: value.mul_(2))  # the other rank has the same batch
    ranks(features, labels)
    assert_close(ranks.centers, alone.centers)


@pytest.mark.parametrize('keys, words', [
    (dict(weight=-1), 'weight of CenterLoss must be a finite number >= 0, got -1'),
    (dict(rate=1.5), 'rate of CenterLoss must be in \\[0, 1\\], got 1.5')])
def test_invalid_arguments_are_errors(keys, words):
    with pytest.raises(ValueError, match=words):
        CenterLoss(nn.Linear(CHANNELS, CLASSES), **keys)
