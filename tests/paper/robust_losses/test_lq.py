"""Properties of LqLoss: limits, gradient, and the ISDA bound around it."""
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from isda_seg.core import augment_logits, margin_variance
from isda_seg.paper.robust_losses import LqLoss

CLASSES, IGNORE = 4, 255


def batch(shape=(24,)):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape[0], CLASSES, *shape[1:], generator=generator, dtype=torch.float64)
    return logits.mul(2).requires_grad_(), torch.randint(CLASSES, shape, generator=generator)


def gradient(loss, logits):
    return torch.autograd.grad(loss, logits)[0]


@pytest.mark.parametrize('q', [0.1, 0.4, 1.0])
def test_value_and_gradient_equal_the_formula(q):
    logits, labels = batch()
    p = logits.detach().softmax(dim=1)
    true_labels = p[range(len(labels)), labels]
    loss = LqLoss(q)(logits, labels)
    assert_close(loss.detach(), ((1 - true_labels ** q) / q).mean())
    slope = true_labels[:, None] ** q * (p - F.one_hot(labels, CLASSES)) / len(labels)
    assert_close(gradient(loss, logits), slope)


def test_limit_q_0_is_cross_entropy():
    logits, labels = batch((3, 5, 6))
    near, plain = LqLoss(1e-9)(logits, labels), F.cross_entropy(logits, labels)
    assert_close(near, plain, rtol=1e-7, atol=0)
    assert_close(gradient(near, logits), gradient(plain, logits))


def test_ignored_pixels_equal_removed_pixels():
    logits, labels = batch((3, 5, 6))
    labels[:, ::2] = IGNORE
    keep = labels != IGNORE
    assert_close(LqLoss()(logits, labels, ignore_index=IGNORE), LqLoss()(logits.movedim(1, -1)[keep], labels[keep]))
    assert LqLoss()(logits, torch.full_like(labels, IGNORE), ignore_index=IGNORE).item() == 0


def test_loss_of_augmented_logits_bounds_the_expected_loss():
    generator = torch.Generator().manual_seed(1)
    features, weight, root = (torch.randn(*shape, generator=generator, dtype=torch.float64)
                              for shape in ((6, 5), (CLASSES, 5), (CLASSES, 5, 5)))
    labels, strength = torch.arange(6) % CLASSES, 0.7
    table = margin_variance(weight, root @ root.mT)
    bound = LqLoss()(augment_logits(features @ weight.t(), labels, table, strength), labels)
    noise = torch.randn(4000, 6, 5, 1, generator=generator, dtype=torch.float64)
    moved = features + strength ** 0.5 * (root[labels] @ noise)[..., 0]
    mean = LqLoss()((moved @ weight.t()).flatten(0, 1), labels.repeat(4000))
    assert float(LqLoss()(features @ weight.t(), labels)) < float(bound)
    assert float(mean) < float(bound) < 1 / 0.4


@pytest.mark.parametrize('q', [0, -0.1, 1.5, float('nan')])
def test_q_outside_0_to_1_is_an_error(q):
    with pytest.raises(ValueError, match=rf'q must be in \(0, 1\], got {q}. For the limit 0, which is cross-entropy'):
        LqLoss(q)
