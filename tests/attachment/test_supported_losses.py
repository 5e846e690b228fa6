"""Properties of the recognition of base losses: softmax or not, number of class weights."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isda_seg.attachment.supported_losses import check_class_weight, reason_not_softmax


class Own(nn.Module):
    """A user-defined loss."""

    def __init__(self, **attributes):
        super().__init__()
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, logits, labels):
        return F.cross_entropy(logits, labels)


class WithMethod(Own):
    def softmax(self, logits):
        return logits.softmax(dim=1)


@pytest.mark.parametrize('loss', [Own(softmax=nn.Softmax(dim=1)), WithMethod()])
def test_a_loss_with_its_own_softmax_is_not_told_to_declare_one(loss):
    reason = reason_not_softmax(loss)
    assert reason.startswith(f'{type(loss).__name__} is not a known softmax cross-entropy; if it is one, replace it')
    assert 'declare' not in reason


@pytest.mark.parametrize('value', [True, 1.0])
def test_only_the_class_declares_a_softmax(value):
    loss = Own(softmax=value)  # an option of this name may apply a softmax to the logits
    assert reason_not_softmax(loss).endswith(', or declare `softmax = True` in its class')
    assert reason_not_softmax(type('Declared', (Own,), dict(softmax=True))(softmax=value)) is None


@pytest.mark.parametrize('weight', [0.4, torch.tensor(0.4), [1.0, 0.4], torch.ones(7), 'equal', None, torch.ones(7, 5)])
def test_a_weight_that_is_not_of_classes_is_accepted(weight):
    loss = Own()
    loss.weight = weight
    assert check_class_weight(loss, 3) is None


@pytest.mark.parametrize('weights', [[1.0, 2.0], torch.ones(2), np.ones(4)])
def test_a_wrong_number_of_class_weights_is_an_error(weights):
    loss = Own()
    loss.class_weight = weights
    with pytest.raises(ValueError, match='Own has . class weights, the classifier 3 classes: give one weight'):
        check_class_weight(loss, 3)
