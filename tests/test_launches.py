"""Kernel launches and synchronisations of the GPU path, counted without a GPU. See helpers/launches.py."""

import pytest
import torch
from helpers.launches import Launches
from torch import nn

from isda_seg.attach import attach
from isda_seg.attachment.captured_inputs import CapturedInput
from isda_seg.attachment.kernel_step import KernelStep
from isda_seg.attachment.verification import Verification
from isda_seg.core import ClassStatistics, isda_consistency, kernels
from isda_seg.core.ops.upsampled import resize
from isda_seg.criterion import ISDACriterion

CITYSCAPES = dict(classifier=nn.Conv2d(512, 19, 1), features=(2, 512, 97, 97), labels=(2, 769, 769))
CIFAR_100 = dict(classifier=nn.Linear(640, 100), features=(128, 640), labels=(128,))
IMAGENET = dict(classifier=nn.Linear(2048, 1000), features=(64, 2048), labels=(64,))


def launches_of_a_step(classifier, features, labels, covariance='diagonal', resolution='label'):
    """Kernels of the loss, forward and backward, in a step in the middle of training; torch refuses a wait."""
    criterion = ISDACriterion(covariance, resolution, ignore_index=255)
    criterion.strength = 1.0
    classifier = classifier.to('meta')
    attach(criterion, classifier, align_corners=True)
    criterion._verification.verified = True  # the first step compares a whole image, and waits
    y = torch.zeros(labels, dtype=torch.int64, device='meta')
    for _ in range(2):
        classifier.zero_grad()
        z = classifier(torch.zeros(features, device='meta'))
        z = (resize(z, labels[1:], align_corners=True) if len(labels) > 1 else z).detach().requires_grad_()
        with Launches() as counter:
            criterion(z, y).backward()
    assert counter.copies == 0
    return counter.count


def test_cross_entropy_needs_two_and_four_launches():
    z, y = torch.zeros(2, 19, 9, 9, device='meta', requires_grad=True), torch.zeros(2, 9, 9, device='meta').long()
    with Launches() as counter:
        loss = nn.functional.cross_entropy(z, y)
        assert counter.count == 2
        loss.backward()
    assert counter.count == 2 + 4


@pytest.mark.parametrize('workload, options, most', [
    (CITYSCAPES, {}, 67),
    (CITYSCAPES, dict(resolution='feature'), 75),
    (CITYSCAPES, dict(covariance='full'), 89),
    (CIFAR_100, dict(covariance='full'), 91),
    (IMAGENET, {}, 99),
], ids=['cityscapes', 'cityscapes at feature resolution', 'cityscapes full', 'cifar-100 full', 'imagenet'])
def test_a_head_needs_few_launches_and_no_synchronisation(workload, options, most):
    assert launches_of_a_step(**workload, **options) <= most


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
@pytest.mark.parametrize('num_classes', [10, 100])
def test_the_unlabelled_term_needs_few_launches_and_no_synchronisation(kind, num_classes):
    weight = torch.zeros(num_classes, 128, device='meta', requires_grad=True)
    covariance = torch.zeros((num_classes, 128, 128) if kind == 'full' else (num_classes, 128), device='meta')
    with Launches() as counter:
        isda_consistency(torch.zeros(128, num_classes, device='meta', requires_grad=True), weight, covariance,
                         1.0).backward()
    assert counter.count <= 80


@pytest.mark.triton
@pytest.mark.parametrize('workload', [CITYSCAPES, dict(CITYSCAPES, classifier=nn.Conv2d(512, 150, 1)), IMAGENET],
                         ids=['cityscapes', '150 classes', 'imagenet'])
def test_a_head_needs_eight_launches_with_kernels(workload, monkeypatch):
    monkeypatch.setattr(kernels, 'DEVICES', {'meta'})
    monkeypatch.setattr(KernelStep, '_compare', lambda *_: None)  # of the first call: reads values
    assert launches_of_a_step(**workload) <= 8


def test_deferred_errors_of_64_steps_need_few_launches():
    verification = Verification()
    verification.verified = True
    classifier = nn.Conv2d(16, 5, 1, device='meta')
    for _ in range(64):
        features = torch.zeros(2, 16, 9, 9, device='meta')
        verification.check(CapturedInput.of(features, classifier), torch.zeros(2, 5, 33, 33, device='meta'), True)
    with Launches() as counter, pytest.raises(Exception, match='(?i)meta|storage'):  # at its end it reads the values
        verification.raise_deferred()
    assert 0 < counter.count <= 20


def test_a_synchronisation_is_detected():
    with pytest.raises(Exception, match='(?i)meta'):
        torch.zeros(3, device='meta').sum().item()
    with pytest.raises(Exception, match='(?i)meta|nonzero'):
        torch.unique(torch.zeros(3, device='meta'))
    statistics = ClassStatistics(3, 4, 'full').to('meta')
    statistics.observe(torch.zeros(6, 4, device='meta'), torch.zeros(6, device='meta').long())
