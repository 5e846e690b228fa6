"""Cross-entropy, expectation and bound: closed-form cases, Jensen's inequality, standard errors."""
import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss

from isda_seg.core import margin_variance, sampled_cross_entropy
from isda_seg.paper.tightness import tightness as module
from isda_seg.paper.tightness.tightness import summary, tightness

KINDS = {'diagonal': (5, 3), 'full': (5, 3, 3), 'shared': (1, 3, 3), 'identity': (1, 3)}


def case(kind='full', classes=5, channels=3, n=40, seed=0):
    """Features, labels, weight, bias and a covariance of rank 2 where it is a matrix; float64."""
    generator = torch.Generator().manual_seed(seed)
    number = 1 if kind in ('shared', 'identity') else classes
    root = torch.randn(number, channels, 2, generator=generator, dtype=torch.float64)
    covariance = root @ root.mT if kind in ('full', 'shared') else root.square().sum(dim=2)
    features, weight = (torch.randn(rows, channels, generator=generator, dtype=torch.float64) for rows in (n, classes))
    labels = torch.randint(classes, (n,), generator=generator)
    return features, labels, weight, torch.randn(classes, generator=generator, dtype=torch.float64), covariance


def softplus(x):
    return np.logaddexp(0, x)


@pytest.mark.parametrize('labelled', [True, False])
def test_two_classes_equal_the_softplus_of_a_gaussian(labelled):
    features, labels, weight, bias, covariance = case(classes=2, n=8)
    logits = features @ weight.t() + bias
    found = tightness(logits, labels if labelled else None, weight, covariance, 0.7, num_samples=4000,
                      generator=torch.Generator().manual_seed(1))
    nodes, weights = hermegauss(60)
    for n, z in enumerate(logits.numpy()):
        p = np.exp(z - np.logaddexp(*z))
        y = int(labels[n]) if labelled else int(p.argmax())
        p = np.eye(2)[y] if labelled else p
        difference = (weight[1] - weight[0]).numpy()
        variance = 0.7 * difference @ covariance[y].numpy() @ difference
        margin = z[1] - z[0]  # of class 1; class 0 pays softplus(margin), class 1 softplus(-margin)
        sampled = margin + variance ** 0.5 * nodes
        expected = (p[0] * softplus(sampled) + p[1] * softplus(-sampled)) @ weights / weights.sum()
        assert abs(found.expected[n] - expected) < 4 * found.error[n]
        plain, bound = (p[0] * softplus(margin + more) + p[1] * softplus(more - margin) for more in (0, variance / 2))
        assert found.cross_entropy[n].item() == pytest.approx(plain, abs=1e-12)
        assert found.bound[n].item() == pytest.approx(bound, abs=1e-12)


@pytest.mark.parametrize('kind', KINDS)
def test_sampled_logits_agree_with_sampled_features(kind):
    features, labels, weight, bias, covariance = case(kind)
    assert covariance.shape == KINDS[kind]
    generator = torch.Generator().manual_seed(2)
    found = summary(tightness(features @ weight.t() + bias, labels, weight, covariance, 0.5, generator=generator))
    others = torch.stack([sampled_cross_entropy(features, labels, weight, bias, covariance, 0.5, 50,
                                                generator=generator) for _ in range(40)])
    error = (found['standard_error'] ** 2 + others.var() / len(others)) ** 0.5
    assert abs(found['expected'] - others.mean()) < 3 * error


@pytest.mark.parametrize('labelled', [True, False])
def test_strength_0_gives_the_cross_entropy(labelled):
    features, labels, weight, bias, covariance = case()
    logits = features @ weight.t() + bias
    found = tightness(logits, labels if labelled else None, weight, covariance, 0, num_samples=4)
    log_p = logits.log_softmax(dim=1)
    expected = torch.nn.functional.nll_loss(log_p, labels, reduction='none') if labelled else \
        -(log_p.exp() * log_p).sum(dim=1)
    for values in (found.cross_entropy, found.expected, found.bound):
        torch.testing.assert_close(values, expected, rtol=0, atol=1e-12)
    assert torch.equal(found.error, torch.zeros(40, dtype=torch.float64))
    assert summary(found)['gap_ratio'] is None


@pytest.mark.parametrize('labelled', [True, False])
@pytest.mark.parametrize('kind', KINDS)
def test_expectation_lies_between_cross_entropy_and_bound(kind, labelled):
    features, labels, weight, bias, covariance = case(kind)
    logits = (features @ weight.t() + bias).float()
    for strength in (1e-6, 0.01, 0.5, 5.0):
        found = summary(tightness(logits, labels if labelled else None, weight.float(), covariance.float(), strength,
                                  num_samples=200, generator=torch.Generator().manual_seed(3)))
        three = 3 * found['standard_error']
        assert found['cross_entropy'] <= found['expected'] + three
        assert found['expected'] - three <= found['bound']
        assert found['gap_ratio'] >= 1


def test_gaps_at_small_strength_equal_the_second_order_expansion():
    features, labels, weight, bias, covariance = case()
    logits, strength = features @ weight.t() + bias, 1e-5
    found = summary(tightness(logits, labels, weight, covariance, strength, generator=torch.Generator().manual_seed(4)))
    p = logits.softmax(dim=1)
    hessian = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    curved = strength / 2 * (hessian * (weight @ covariance @ weight.t())[labels]).sum(dim=(1, 2)).mean()
    above = strength / 2 * (p * margin_variance(weight, covariance)[labels]).sum(dim=1).mean()
    assert abs(found['expected'] - found['cross_entropy'] - curved) < 3 * found['standard_error']
    assert found['gap_ratio'] == pytest.approx(float(above / curved), rel=0.03)


@pytest.mark.parametrize('at_once', [1, 1 << 23])
def test_standard_error_equals_the_deviation_of_repeated_means(at_once, monkeypatch):
    monkeypatch.setattr(module, 'CHUNK', at_once)
    features, labels, weight, bias, covariance = case(n=6)
    generator = torch.Generator().manual_seed(5)
    repeats = [summary(tightness(features @ weight.t() + bias, labels, weight, covariance, 1.0, num_samples=40,
                                 generator=generator)) for _ in range(200)]
    spread = np.std([one['expected'] for one in repeats], ddof=1)
    claimed = np.mean([one['standard_error'] ** 2 for one in repeats]) ** 0.5
    assert 0.8 < claimed / spread < 1.25


@pytest.mark.parametrize('num_samples', [2, 7, 0])
def test_fewer_than_two_antithetic_pairs_are_rejected(num_samples):
    features, labels, weight, _, covariance = case()
    with pytest.raises(ValueError, match=f'an even number of at least 4, got {num_samples}'):
        tightness(features @ weight.t(), labels, weight, covariance, 1.0, num_samples=num_samples)
