"""Properties of LabelErrors: an accelerator ignores invalid labels and reports them later."""

import copy

import pytest
import torch

from isda_seg.attachment.label_errors import LabelErrors
from isda_seg.core.ops import device

CLASSES = 4


@pytest.fixture(autouse=True)
def on_a_device(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())


def logits_of(labels):
    return torch.zeros(len(labels), CLASSES, *labels.shape[1:])


@pytest.mark.parametrize('ignore_index', [255, -100, 2])
def test_invalid_labels_are_ignored(ignore_index):
    labels = torch.tensor([[0, 3, ignore_index], [9, -1, 1]])
    index, none = LabelErrors().check(labels, logits_of(labels), ignore_index)
    assert (index.tolist(), none) == ([[0, 3, none], [none, none, 1]], CLASSES + 1)


@pytest.mark.parametrize('steps', [2, 99])
def test_the_extreme_labels_of_all_steps_are_reported_once(steps):
    found, classes = LabelErrors(), torch.arange(CLASSES)
    for step in range(steps):
        labels = classes + 63 if step == 1 else classes - 7 if step == 0 else classes
        found.check(labels, logits_of(labels), 255)
    with pytest.raises(ValueError, match=r'labels such as -7 and 66 are neither one of the 4 classes \(0..3\) nor the '
                                         r'ignore index \(255\)'):
        found.raise_deferred()
    found.raise_deferred()


def test_a_copy_does_not_report_the_labels_of_the_original():
    found = LabelErrors()
    found.check(torch.tensor([9]), torch.zeros(1, CLASSES), 255)
    copy.deepcopy(found).raise_deferred()
    with pytest.raises(ValueError, match='labels such as 9'):
        found.raise_deferred()


def test_classes_and_the_ignore_index_are_never_reported():
    found = LabelErrors()
    for ignore_index in (255, -1, 0):
        labels = torch.tensor([0, 3, ignore_index])
        found.check(labels, logits_of(labels), ignore_index)
    found.check(torch.zeros(0, dtype=torch.int64), torch.zeros(0, CLASSES), 255)
    assert found.raise_deferred() is None
