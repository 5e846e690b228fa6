"""Logit adjustment in the loss: tau 0 changes nothing, and the prior is the observed class frequency."""
import copy

import pytest
import torch
import torch.nn.functional as F
from helpers.two_ranks import two_ranks
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core.ops import device
from isda_seg.core.prior import log_prior
from isda_seg.criterion import ISDACriterion
from isda_seg.losses import ISDALoss

CLASSES, IGNORE, TAU = 3, 255, 0.6


class Head(nn.Module):
    """A 1x1 classifier, a bilinear resize and the loss."""

    def __init__(self, loss):
        super().__init__()
        torch.manual_seed(0)
        self.classifier, self.loss = nn.Conv2d(4, CLASSES, 1), loss
        attach(loss, self.classifier)

    def logits(self, features):
        return F.interpolate(self.classifier(features), size=(9, 9), mode='bilinear')

    def forward(self, features, labels):
        return self.loss(self.logits(features), labels)


def criterion(strength=2.0, **keys):
    loss = ISDACriterion(ignore_index=IGNORE, **keys)
    loss.strength = strength
    return loss


def batch(seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (2, 9, 9), generator=generator) * torch.randint(2, (2, 9, 9), generator=generator)
    labels[0, :2] = IGNORE
    return torch.randn(2, 4, 5, 5, generator=generator), labels


def gradients(head, loss):
    return torch.autograd.grad(loss, tuple(head.classifier.parameters()))


class Recorded(nn.Module):
    """A base loss that keeps the logits it gets."""

    def forward(self, logits, labels, ignore_index=-100):
        self.logits = logits.detach()
        return F.cross_entropy(logits, labels, ignore_index=ignore_index)


@pytest.mark.parametrize('resolution', ['label', 'feature'])
@pytest.mark.parametrize('base', [None, nn.CrossEntropyLoss(ignore_index=IGNORE)], ids=['fused', 'base'])
@pytest.mark.parametrize('strength', [0.0, 2.0])
def test_tau_0_is_bitwise_the_loss_without_logit_adjustment(strength, base, resolution):
    found = []
    for keys in ({}, dict(logit_adjustment=0.0)):
        head = Head(criterion(strength, base=copy.deepcopy(base), resolution=resolution, **keys))
        loss = head(*batch())
        found.append((loss, *gradients(head, loss)))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_the_fused_loss_equals_the_base_of_adjusted_logits(resolution):
    fused, other = (Head(criterion(base=base, resolution=resolution, logit_adjustment=TAU))
                    for base in (None, Recorded()))
    losses = [head(*batch()) for head in (fused, other)]
    assert_close(*losses)
    assert_close(gradients(fused, losses[0]), gradients(other, losses[1]))


@pytest.mark.parametrize('strength', [0.0, 2.0])
def test_the_prior_is_the_class_frequency_of_the_statistics(strength):
    adjusted, plain = (Head(criterion(strength, base=Recorded(), logit_adjustment=tau)) for tau in (TAU, 0.0))
    for seed in range(3):
        for head in (adjusted, plain):
            head(*batch(seed))
        count = adjusted.loss.statistics.count
        added = (adjusted.loss.base.logits - plain.loss.base.logits).movedim(1, -1)
        expected = TAU * (count / count.sum()).log()
        assert_close(added, expected.expand_as(added), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('base', [
    nn.CrossEntropyLoss(weight=torch.tensor([1.0, 3.0, 0.5]), ignore_index=IGNORE), SoftmaxFocalLoss(),
    nn.CrossEntropyLoss(label_smoothing=0.1, ignore_index=IGNORE)], ids=['class_weight', 'focal', 'smoothing'])
def test_strength_0_is_the_base_loss_of_adjusted_logits(base):
    head = Head(criterion(0.0, base=base, logit_adjustment=TAU))
    features, labels = batch()
    loss = head(features, labels)
    adjusted = head.logits(features) + TAU * log_prior(head.loss.statistics.count).view(1, -1, 1, 1)
    keys = dict(ignore_index=IGNORE) if isinstance(base, SoftmaxFocalLoss) else {}
    assert_close(loss, base(adjusted, labels, **keys))


def test_a_simulated_accelerator_equals_a_cpu(monkeypatch):
    found = []
    for cpu_types in (('cpu',), ()):
        monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
        head = Head(criterion(logit_adjustment=TAU))
        loss = head(*batch())
        found.append((loss, *gradients(head, loss)))
    for own, other in zip(*found, strict=True):
        assert_close(own, other)


def test_samples_are_centred_on_the_adjusted_logits():
    head = Head(criterion(1e-12, samples=2, base=Recorded(), logit_adjustment=TAU))
    features, labels = batch()
    head(features, labels)
    adjusted = head.logits(features) + TAU * log_prior(head.loss.statistics.count).view(1, -1, 1, 1)
    assert_close(head.loss.base.logits, adjusted.detach(), rtol=1e-4, atol=1e-4)


def test_vectors_of_a_long_tailed_classifier_get_the_prior():
    torch.manual_seed(0)
    classifier, loss = nn.Linear(4, CLASSES), criterion(0.0, logit_adjustment=1.0)
    attach(loss, classifier)
    features, labels = torch.randn(20, 4), torch.tensor([0] * 15 + [1] * 4 + [2])
    value = loss(classifier(features), labels)
    expected = F.cross_entropy(classifier(features) + torch.tensor([15, 4, 1]).div(20).log(), labels)
    assert_close(value, expected)


def test_evaluation_uses_the_unadjusted_logits():
    head = Head(criterion(logit_adjustment=TAU))
    features, labels = batch()
    head(features, labels)
    head.eval()
    with torch.no_grad():
        assert torch.equal(head(features, labels), head.loss.base(head.logits(features), labels, ignore_index=IGNORE))


def test_bfloat16_logits_are_adjusted_in_float32():
    head = Head(criterion(base=Recorded(), logit_adjustment=TAU))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        head(*batch())
    assert head.loss.base.logits.dtype == torch.float32


def test_resume_is_bitwise_exact():
    def trained(head, seeds):
        optimizer = torch.optim.SGD(head.parameters(), lr=0.1)
        for seed in seeds:
            optimizer.zero_grad()
            head(*batch(seed)).backward()
            optimizer.step()
        return head.state_dict()

    whole = trained(Head(criterion(logit_adjustment=TAU)), range(4))
    resumed = Head(criterion(logit_adjustment=TAU))
    resumed.load_state_dict(trained(Head(criterion(logit_adjustment=TAU)), range(2)))
    again = trained(resumed, range(2, 4))
    assert all(torch.equal(whole[key], again[key]) for key in whole)


@pytest.mark.parametrize('tau', [-0.1, float('nan'), 'strong', None])
def test_an_invalid_tau_is_an_error(tau):
    with pytest.raises(ValueError, match='logit_adjustment must be a finite number >= 0'):
        ISDALoss(lambda_0=1, logit_adjustment=tau)


def test_ohem_selects_pixels_by_the_adjusted_logits():
    from mmseg.models.losses import OhemCrossEntropy
    base = OhemCrossEntropy(ignore_label=IGNORE, thres=0.4, min_kept=10)
    head = Head(criterion(0.0, base=base, logit_adjustment=TAU))
    features, labels = batch()
    loss = head(features, labels)
    adjusted = head.logits(features) + TAU * log_prior(head.loss.statistics.count).view(1, -1, 1, 1)
    assert_close(loss, head.loss.base(adjusted, labels))


def test_a_compiled_model_equals_an_eager_one():
    found = []
    for compiled in (False, True):
        head = Head(criterion(logit_adjustment=TAU))
        loss = (torch.compile(head, backend='aot_eager') if compiled else head)(*batch())
        found.append((loss, *gradients(head, loss)))
    for own, other in zip(*found, strict=True):
        assert_close(own, other)


def one_rank(rank, folder):
    head = Head(criterion(0.0, base=Recorded(), logit_adjustment=TAU))
    features, labels = batch(rank)
    head(features, labels)
    return head.loss.statistics.count, (head.loss.base.logits - head.logits(features).detach())[0, :, 0, 0]


def test_ranks_share_one_prior(tmp_path):
    alone = Head(criterion())
    for seed in range(2):
        alone(*batch(seed))
    expected = alone.loss.statistics.count
    for count, added in two_ranks(one_rank, tmp_path):
        assert torch.equal(count, expected)
        assert_close(added, TAU * log_prior(expected), rtol=1e-4, atol=1e-5)
