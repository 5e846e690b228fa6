"""Properties of LargeMarginLoss: psi, reference loss, annealing, equality with cross-entropy."""
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from isda_seg.paper.robust_losses import LargeMarginLoss
from isda_seg.paper.robust_losses.large_margin import missing_margin, psi

CLASSES, CHANNELS, SAMPLES = 4, 6, 20


def batch():
    """Features in all directions, their labels, the classifier."""
    torch.manual_seed(0)
    return (torch.randn(SAMPLES, CHANNELS, dtype=torch.float64, requires_grad=True), torch.arange(SAMPLES) % CLASSES,
            nn.Linear(CHANNELS, CLASSES).double())


def call(loss, features, labels, classifier, **keys):
    return loss(classifier(features), labels, features=features, classifier=classifier, **keys)


def plain(features, labels, classifier):
    """Cross-entropy, with the same sum and division."""
    return F.cross_entropy(classifier(features), labels, reduction='sum') / len(labels)


def with_gradients(value, features, classifier):
    return value, *torch.autograd.grad(value, [features, *classifier.parameters()])


def literal(features, labels, classifier, margin, annealing):
    """Eqs. 4-6 sample by sample, with arc cosines."""
    total = 0
    for feature, label in zip(features, labels.tolist(), strict=True):
        logits = list(classifier(feature))
        true_labels = classifier.weight[label]
        lengths = true_labels.norm() * feature.norm()
        theta = torch.arccos(true_labels @ feature / lengths)
        k = math.floor(margin * float(theta.detach()) / math.pi)
        wanted = (-1) ** k * torch.cos(margin * theta) - 2 * k
        logits[label] = lengths * (wanted + annealing * torch.cos(theta)) / (1 + annealing) + classifier.bias[label]
        total = total - logits[label] + torch.stack(logits).logsumexp(dim=0)
    return total / len(labels)


@pytest.mark.parametrize('margin', [1, 2, 3, 4])
def test_psi_is_continuous_and_decreases_from_1_to_1_minus_2m(margin):
    theta = torch.linspace(0, math.pi, 20001, dtype=torch.float64)
    found = psi(theta.cos(), margin)
    steps = found.diff()
    assert (steps <= 1e-12).all() and (steps >= -(margin + 0.1) * math.pi / 20000).all()
    assert_close(found[[0, -1]], torch.tensor([1.0, 1 - 2 * margin], dtype=torch.float64))
    assert (found <= theta.cos() + 1e-12).all()


@pytest.mark.parametrize('margin', [2, 3, 4])
def test_value_and_gradients_equal_the_reference_equations(margin):
    features, labels, classifier = batch()
    found = call(LargeMarginLoss(margin, start=3.0), features, labels, classifier)
    expected = literal(features, labels, classifier, margin, annealing=3.0)
    assert (missing_margin(features, classifier.weight[labels], margin) > 0).all()
    assert_close(with_gradients(found, features, classifier), with_gradients(expected, features, classifier))


def test_with_margin_1_it_is_cross_entropy_bit_for_bit():
    features, labels, classifier = batch()
    found = call(LargeMarginLoss(1, start=0.0), features, labels, classifier)
    pairs = zip(with_gradients(found, features, classifier),
                with_gradients(plain(features, labels, classifier), features, classifier), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_zero_feature_has_the_cross_entropy_loss():
    _, labels, classifier = batch()
    features = torch.zeros(SAMPLES, CHANNELS, dtype=torch.float64, requires_grad=True)
    found = call(LargeMarginLoss(4, start=0.0), features, labels, classifier)
    assert_close(with_gradients(found, features, classifier),
                 with_gradients(plain(features, labels, classifier), features, classifier))


def test_margin_annealing_continues_from_a_checkpoint():
    features, labels, classifier = batch()
    settings = dict(start=10.0, gamma=0.5, power=2.0, minimum=0.7)
    loss, resumed = LargeMarginLoss(2, **settings), LargeMarginLoss(2, **settings)
    found = []
    for step in range(8):
        if step == 3:
            resumed.load_state_dict(loss.state_dict())
        assert_close(float(loss.annealing()), max(0.7, 10 * (1 + 0.5 * step) ** -2))
        found.append(call(loss, features, labels, classifier).detach())
    assert int(loss.steps) == 8
    again = [call(resumed, features, labels, classifier) for _ in range(5)]
    assert torch.equal(torch.stack(again), torch.stack(found[3:]))
    with torch.no_grad():
        call(loss, features, labels, classifier)
    call(loss.eval(), features, labels, classifier)
    assert int(loss.steps) == 8


def test_ignored_samples_equal_removed_samples():
    features, labels, classifier = batch()
    labels[::3] = 255
    keep = labels != 255
    loss = LargeMarginLoss(3, start=0.0)
    assert_close(call(loss, features, labels, classifier, ignore_index=255),
                 call(loss, features[keep], labels[keep], classifier))


@pytest.mark.parametrize('keys, words', [
    (dict(margin=0), 'margin must be an integer >= 1, got 0'),
    (dict(margin=1.5), 'got 1.5'), (dict(gamma=-1), 'gamma of LargeMarginLoss must be a finite number >= 0, got -1'),
    (dict(start=math.inf), 'start of LargeMarginLoss must be a finite number >= 0, got inf')])
def test_invalid_arguments_are_errors(keys, words):
    with pytest.raises(ValueError, match=words):
        LargeMarginLoss(**keys)


def test_missing_features_are_an_error_with_a_remedy():
    features, labels, classifier = batch()
    with pytest.raises(ValueError, match='LargeMarginLoss needs features and classifier. Use it in an Image'):
        LargeMarginLoss()(classifier(features), labels)
