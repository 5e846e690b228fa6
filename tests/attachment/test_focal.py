"""Properties of SoftmaxFocalLoss, a base loss for ISDA."""

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from isda_seg.attachment.focal import SoftmaxFocalLoss

CLASSES, IGNORE = 4, 255
CLASS_WEIGHT = [1.0, 2.0, 0.5, 3.0]


def batch(shape=(2, 5, 6)):
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, shape, generator=generator)
    labels.view(-1)[::6] = IGNORE
    logits = torch.randn(shape[0], CLASSES, *shape[1:], generator=generator, dtype=torch.float64)
    return logits.mul(3).requires_grad_(), labels


def literal(logits, labels, gamma, class_weight=None, weight=None):
    """-(1 - p_y)^gamma log p_y pixel by pixel, 0 where ignored."""
    probabilities = logits.softmax(dim=1)
    values = torch.zeros(labels.shape, dtype=logits.dtype)
    for index in (labels != IGNORE).nonzero().tolist():
        image, *place = index
        y = int(labels[tuple(index)])
        p = probabilities[(image, y, *place)]
        factor = (1 if class_weight is None else class_weight[y]) * (1 if weight is None else weight[tuple(index)])
        values[tuple(index)] = -(1 - p) ** gamma * torch.log(p) * factor
    return values


@pytest.mark.parametrize('gamma', [0.5, 1, 2.0, 5.0])
@pytest.mark.parametrize('shape', [(2, 5, 6), (30,)])
def test_the_loss_is_the_literal_formula_in_values_and_gradients(gamma, shape):
    logits, labels = batch(shape)
    loss = SoftmaxFocalLoss(gamma)(logits, labels, ignore_index=IGNORE)
    expected = literal(logits, labels, gamma).sum() / (labels != IGNORE).sum()
    assert_close(loss, expected)
    assert_close(*(torch.autograd.grad(value, logits)[0] for value in (loss, expected)))


def test_gamma_0_is_cross_entropy():
    logits, labels = batch()
    focal = SoftmaxFocalLoss(0)
    assert_close(focal(logits, labels, ignore_index=IGNORE), F.cross_entropy(logits, labels, ignore_index=IGNORE))
    assert torch.equal(focal(logits, labels, ignore_index=IGNORE, reduction_override='none'),
                       F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction='none'))


@pytest.mark.parametrize('reduction', ['none', 'sum', 'mean'])
def test_every_reduction_applies_class_pixel_and_loss_weights(reduction):
    logits, labels = batch()
    weight = torch.rand(labels.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    loss = SoftmaxFocalLoss(2.0, class_weight=CLASS_WEIGHT, loss_weight=0.4)
    each = 0.4 * literal(logits, labels, 2.0, CLASS_WEIGHT, weight)
    expected = {'none': each, 'sum': each.sum(), 'mean': each.sum() / (labels != IGNORE).sum()}[reduction]
    override = None if reduction == 'mean' else reduction
    assert_close(loss(logits, labels, weight=weight, ignore_index=IGNORE, reduction_override=override), expected)


def test_ignored_pixels_equal_removed_pixels():
    logits, labels = batch()
    keep = labels != IGNORE
    removed = SoftmaxFocalLoss()(logits.movedim(1, -1)[keep], labels[keep])
    kept = SoftmaxFocalLoss()(logits, labels, ignore_index=IGNORE)
    assert_close(kept, removed)
    assert_close(torch.autograd.grad(kept, logits)[0], torch.autograd.grad(removed, logits)[0])


def test_a_wholly_ignored_batch_gives_loss_0_and_zero_gradients():
    logits, labels = batch()
    loss = SoftmaxFocalLoss(0.5, class_weight=CLASS_WEIGHT)(logits, torch.full_like(labels, IGNORE),
                                                            ignore_index=IGNORE)
    assert float(loss.detach()) == 0
    assert torch.equal(torch.autograd.grad(loss, logits)[0], torch.zeros_like(logits))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
@pytest.mark.parametrize('gamma', [0, 0.5, 1, 2])
def test_a_confident_correct_prediction_has_loss_and_gradient_0(dtype, gamma):
    logits = torch.tensor([[900.0, 0.0, 0.0]], dtype=dtype, requires_grad=True)  # p_y is exactly 1
    loss = SoftmaxFocalLoss(gamma)(logits, torch.tensor([0]))
    loss.backward()
    assert float(loss.detach()) == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_a_confident_wrong_prediction_has_the_cross_entropy():
    logits = torch.tensor([[500.0, 0.0, 0.0]], requires_grad=True)
    loss = SoftmaxFocalLoss(0.5)(logits, torch.tensor([1]))
    loss.backward()
    assert float(loss.detach()) == 500
    assert_close(logits.grad, torch.tensor([[1.0, -1.0, 0.0]]))


def test_negative_gamma_is_refused():
    with pytest.raises(ValueError, match='gamma must be >= 0, got -0.5'):
        SoftmaxFocalLoss(-0.5)
