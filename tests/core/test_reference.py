"""The equations of core/reference.py equal the fast functions of core and the test oracle."""
import pytest
import reference as oracle
import torch
from helpers.problems import loss_problem
from torch.testing import assert_close

from isda_seg import core
from isda_seg.core import reference

CLASSES, CHANNELS, STRENGTH = 5, 4, 2.5


@pytest.fixture
def problem():
    return loss_problem('full', CLASSES, CHANNELS, samples=40)


def updated(update, batches):
    """Running statistics after the batches."""
    moments = (torch.zeros(CLASSES, dtype=torch.int64), torch.zeros(CLASSES, CHANNELS, dtype=torch.float64),
               torch.zeros(CLASSES, CHANNELS, CHANNELS, dtype=torch.float64))
    for features, labels in batches:
        moments = update(moments, features, labels)
    return moments


def test_statistics_equal_the_fast_ones_and_the_oracle(problem):
    features, labels, *_ = problem
    batches = list(zip(features.split(7), labels.split(7), strict=True))
    found = updated(lambda moments, *batch: reference.update_statistics(*moments, *batch), batches)
    oracle_moments = updated(lambda moments, *batch: oracle.running_moments(
        moments, oracle.batch_moments(*batch, CLASSES)), batches)
    fast = core.class_moments(features, labels, CLASSES, covariance='full')
    for own, one, other in zip(found, oracle_moments, fast, strict=True):
        assert_close(own, one, rtol=1e-12, atol=1e-12)
        assert_close(own, other, rtol=1e-12, atol=1e-12)


def test_table_equals_the_fast_one_and_the_oracle(problem):
    _, _, weight, _, covariance = problem
    found = reference.margin_variance(weight, covariance)
    assert_close(found, core.margin_variance(weight, covariance), rtol=1e-12, atol=1e-12)
    assert_close(found, oracle.margin_variance(weight, covariance), rtol=1e-12, atol=1e-12)


def test_loss_and_gradients_equal_the_fast_ones_and_the_oracle(problem):
    features, labels, weight, bias, covariance = problem
    functions = (reference.isda_cross_entropy, core.isda_cross_entropy,
                 lambda *given: oracle.isda_cross_entropy(*given).mean())
    results = []
    for function in functions:
        w = weight.clone().requires_grad_()
        loss = function(features @ w.T + bias, labels, w, covariance, STRENGTH)
        results.append((loss.detach(), *torch.autograd.grad(loss, w)))
    for other in results[1:]:
        assert_close(results[0], other, rtol=1e-11, atol=1e-11)


def test_consistency_equals_the_fast_one_and_the_oracle(problem):
    features, _, weight, bias, covariance = problem
    logits, targets = features @ weight.T + bias, (features.flip(0) @ weight.T).softmax(dim=1)
    found = reference.isda_consistency(logits, weight, covariance, STRENGTH, targets)
    fast = core.isda_consistency(logits, weight, covariance, STRENGTH, targets=targets)
    assert_close(found, fast, rtol=1e-12, atol=1e-12)
    assert_close(found, oracle.isda_consistency(logits, weight, covariance, STRENGTH, targets).mean(), rtol=1e-11,
                 atol=1e-11)


def test_sampled_loss_equals_the_fast_one_for_the_same_noise(problem):
    features, labels, weight, bias, covariance = problem
    given = features, labels, weight, bias, covariance, STRENGTH, 3
    found, fast = (function(*given, generator=torch.Generator().manual_seed(1))
                   for function in (reference.sampled_cross_entropy, core.sampled_cross_entropy))
    assert_close(found, fast, rtol=1e-12, atol=1e-12)


def test_sampled_loss_equals_the_mean_of_the_oracles_samples(problem):
    features, labels, weight, bias, covariance = problem
    given = features, labels, weight, bias, covariance, STRENGTH, 20_000
    found = reference.sampled_cross_entropy(*given[:-1], 2_000, generator=torch.Generator().manual_seed(1))
    mean = oracle.sampled_cross_entropy(*given, generator=torch.Generator().manual_seed(2))
    assert_close(found, mean, rtol=0.01, atol=0)
    assert found < reference.isda_cross_entropy(features @ weight.T + bias, labels, weight, covariance, STRENGTH)
