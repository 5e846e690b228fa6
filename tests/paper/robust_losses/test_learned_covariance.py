"""Learned covariances: gradients of both forms, initialisation, feature uncertainty."""
import math

import pytest
import reference
import torch
from helpers import tiny, tiny_images
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.paper.robust_losses.learned_covariance import LearnedCovariance, LearnedISDALoss

CLASSES, CHANNELS = 3, 5
CONFIG = tiny.ROOT / 'configs' / 'miniature' / 'resnet8_learned-covariance_cifar10-1k.py'


def problem(**keys):
    """A loss after its warm-up of one call, with covariances of full rank, and a batch for it."""
    torch.manual_seed(0)
    classifier = nn.Linear(CHANNELS, CLASSES)
    loss = LearnedISDALoss(1.0, CLASSES, CHANNELS, warm_up=1, **keys)
    attach(loss, classifier)
    features, labels = torch.randn(12, CHANNELS), torch.arange(12) % 2  # the last class is in no batch
    loss(classifier(features), labels)
    with torch.no_grad():
        loss.statistics.factor.add_(0.3 * torch.randn(CLASSES, CHANNELS, CHANNELS))
    loss.strength = 0.8
    return loss, classifier, features, labels


def test_factor_starts_as_the_root_of_the_mean_warm_up_variance():
    loss = LearnedISDALoss(1.0, 2, CHANNELS, warm_up=2)
    classifier, features = nn.Linear(CHANNELS, 2), torch.randn(2, 8, CHANNELS)
    attach(loss, classifier)
    labels = torch.arange(8) % 2
    loss(classifier(features[0]), labels)
    assert torch.equal(loss.statistics.covariance, torch.zeros(2, CHANNELS, CHANNELS))
    loss(classifier(features[1]), labels)
    variances = [features.flatten(0, 1)[labels.repeat(2) == y].var(dim=0, correction=0) for y in (0, 1)]
    expected = torch.stack(variances).mean() * torch.eye(CHANNELS).expand(2, -1, -1)
    assert_close(loss.statistics.covariance.detach(), expected)


def test_closed_form_and_its_gradient_equal_the_equation():
    loss, classifier, features, labels = problem()
    factor = loss.statistics.factor
    found = loss(classifier(features), labels)
    covariance = factor.double() @ factor.double().mT
    expected = reference.isda_cross_entropy(classifier(features).double(), labels, classifier.weight.double(),
                                            covariance, 0.8).mean()
    assert_close(found.double(), expected, rtol=1e-5, atol=0)
    leaves = factor, classifier.weight
    for one, other in zip(torch.autograd.grad(found, leaves), torch.autograd.grad(expected, leaves), strict=True):
        assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert (torch.autograd.grad(loss(classifier(features), labels), factor)[0].flatten(1).norm(dim=1) > 0).tolist() == [
        True, True, False]


def test_sampled_gradient_equals_reparametrisation_in_expectation():
    loss, classifier, features, labels = problem(samples=400)
    factor = loss.statistics.factor
    found = torch.autograd.grad(loss(classifier(features.repeat(100, 1)), labels.repeat(100)), factor)[0]
    noise = torch.randn(40_000, 12, CHANNELS)
    moved = features + 0.8 ** 0.5 * torch.einsum('nij,mnj->mni', factor[labels], noise)
    losses = nn.functional.cross_entropy(classifier(moved).flatten(0, 1), labels.repeat(40_000))
    expected = torch.autograd.grad(losses, factor)[0]
    found, expected = (grad @ factor.detach().mT for grad in (found, expected))  # D D^T is all that matters
    assert_close(found, expected, rtol=0, atol=0.05 * float(expected.abs().max()))


def test_uncertainty_is_the_missing_entropy_of_the_batch_classes():
    loss, classifier, features, labels = problem(uncertainty=0.5, sigma=2.0)
    plain = problem()[0]
    missing = []
    for y in (0, 1):
        sigma = (loss.statistics.factor[y] @ loss.statistics.factor[y].T).detach().double()
        entropy = torch.distributions.MultivariateNormal(torch.zeros(CHANNELS).double(), sigma).entropy() / CHANNELS
        missing.append(max(0.0, math.log(2.0) + (1 + math.log(2 * math.pi)) / 2 - float(entropy)))
    attach(plain, classifier)
    found = loss(classifier(features), labels) - plain(classifier(features), labels)
    assert min(missing) > 0
    assert_close(found.double(), torch.tensor(0.5 * sum(missing) / 2, dtype=torch.float64), rtol=1e-4, atol=0)


@pytest.mark.parametrize('keys, words', [
    (dict(warm_up=0), 'warm_up must be at least 1'), (dict(uncertainty=-1.0), 'uncertainty must be >= 0'),
    (dict(sigma=0.0), 'sigma > 0'), (dict(samples=0), 'samples must be a positive integer')])
def test_invalid_arguments_are_errors(keys, words):
    with pytest.raises(ValueError, match=words):
        LearnedISDALoss(1.0, CLASSES, CHANNELS, **keys)


@tiny.on_cpu
def test_a_run_trains_the_factor_without_decay_and_resumes_exactly(tmp_path, monkeypatch):
    monkeypatch.setenv('ISDA_SEG_DATA', str(tiny_images.write_cifar(tmp_path / 'data').parent))

    def change(cfg):
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.holdout = 20  # of a hundred images
        tiny_images.few(cfg, train=12, batch=4, epochs=3)
        cfg.param_scheduler = []  # the warm-up is longer than this run
        cfg.model.loss.update(warm_up=3, uncertainty=0.1)
        cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)

    runner, _ = tiny.train(CONFIG, tmp_path / 'whole', change=change)
    factor = runner.model.loss.statistics.factor
    group, = [group for group in runner.optim_wrapper.optimizer.param_groups if group['params'][0] is factor]
    assert group['weight_decay'] == 0.0
    off = factor - factor.diagonal(dim1=1, dim2=2).diag_embed()
    assert float(off.detach().abs().max()) > 0  # it has left the identity
    again, _ = tiny.train(CONFIG, tmp_path / 'resumed', change=change, resume=str(tmp_path / 'whole' / 'epoch_2.pth'))
    assert tiny.differing(tiny.full_state(again), tiny.full_state(runner)) == []


@pytest.mark.parametrize('calls', [1, 2, 3, 4])
def test_an_observation_of_the_warm_up_and_of_its_end_is_undone(calls):
    statistics = LearnedCovariance(2, 3, warm_up=3)
    for step in range(calls):
        before = {name: value.clone() for name, value in statistics.state_dict().items()}
        undo = statistics.observe(torch.randn(8, 3) + step, torch.arange(8) % 2, reversible=True)
    undo()
    assert all(torch.equal(value, before[name]) for name, value in statistics.state_dict().items())
