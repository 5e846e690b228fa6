"""Plain torch reports classes without a sample, features that are not finite and a missing strength, once."""
import warnings

import pytest
import torch
from torch import nn

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion
from isda_seg.losses import ISDALoss
from isda_seg.openmmlab.wrapping import wrap_losses


def messages(loss, labels, steps, classes=2, poison=False, strength=1.0):
    """The warnings of each step of a training on images (2, 3, 4, 4) with the same labels."""
    classifier, found = nn.Conv2d(3, classes, 1), []
    if loss.attached:
        classifier = loss.captured.classifier()
    attach(loss, classifier)
    for _ in range(steps):
        if strength is not None and loss.ramp is None:
            loss.strength = strength
        features = torch.randn(2, 3, 4, 4)
        features[0, 0, 0, 0] = float('nan') if poison else 0.0
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter('always')
            loss(classifier(features), labels)
        found.append([str(warning.message) for warning in caught])
    return found


def mask():
    """A mask of 0 and 255, as images store it; 255 is ignored."""
    return torch.arange(32).view(2, 4, 4) % 2 * 255


@pytest.mark.parametrize('keys, calls', [({}, 5), (dict(lambda_0=1.0, total_steps=3), 3),
                                         (dict(lambda_0=1.0, total_steps=2, calls_per_step=2), 4)])
def test_a_mask_of_0_and_255_is_reported_once(keys, calls, monkeypatch):
    monkeypatch.setattr('isda_seg.criterion.CALLS', 5)
    found = messages(ISDACriterion(ignore_index=255, **keys), mask(), 9)
    assert [len(step) for step in found] == [step == calls for step in range(1, 10)]
    assert found[calls - 1] == [
        f'ISDA: after {calls} training calls, the statistics have no feature of class 1. These classes receive no '
        'augmentation. Check whether the labels contain them: a mask of 0 and 255 needs the labels 0 and 1']


def test_many_classes_are_counted_and_seen_ones_are_not_reported(monkeypatch):
    monkeypatch.setattr('isda_seg.criterion.CALLS', 1)
    (message,), = messages(ISDACriterion(ignore_index=255), mask(), 1, classes=300)
    assert ', '.join(f'class {number}' for number in range(1, 11)) + ' and 289 more. These' in message
    assert messages(ISDACriterion(ignore_index=255), mask() // 255, 2) == [[], []]


def test_features_that_are_not_finite_are_reported(monkeypatch):
    monkeypatch.setattr('isda_seg.criterion.CALLS', 2)
    found = messages(ISDACriterion(), mask() // 255, 3, poison=True)
    assert found == [[], ['ISDA: 2 labelled features were not finite. The statistics ignore them.'], []]


@pytest.mark.parametrize('strength', [None, 1.0])
def test_a_loss_with_a_hook_leaves_the_report_to_the_hook(strength, monkeypatch):
    monkeypatch.setattr('isda_seg.criterion.CALLS', 1)
    model = nn.ModuleDict(dict(fc=nn.Conv2d(3, 2, 1), loss=ISDALoss(1.0, base=nn.CrossEntropyLoss(ignore_index=255))))
    wrap_losses(model)
    assert messages(model.loss, mask(), 2, strength=strength) == [[], []]


UNSET = ('ISDA: after 2 training calls, the strength has not been set. It is 0, so nothing is augmented. Give '
         'ISDACriterion lambda_0 and total_steps, set loss.strength in each step (to 0 for a baseline), or train with '
         'ISDAHook')


@pytest.mark.parametrize('make', [ISDACriterion, lambda: ISDALoss(1.0, base=nn.CrossEntropyLoss())])
def test_a_strength_that_is_never_set_is_reported_once(make, monkeypatch):
    monkeypatch.setattr('isda_seg.criterion.CALLS', 2)
    assert messages(make(), mask() // 255, 4, strength=None) == [[], [UNSET], [], []]
    assert messages(make(), mask() // 255, 4, strength=0.0) == [[]] * 4


@pytest.mark.parametrize('loss', [
    ISDACriterion(lambda_0=1.0, total_steps=2), ISDACriterion(lambda_0=0.0, total_steps=2),
    ISDACriterion(logit_adjustment=1.0), ISDALoss(0.0, base=nn.CrossEntropyLoss())])
def test_a_strength_of_0_by_choice_is_not_reported(loss):
    loss.warnings.after = 2
    assert messages(loss, mask() // 255, 3, strength=None) == [[]] * 3
