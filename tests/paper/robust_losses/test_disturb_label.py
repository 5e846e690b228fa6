"""Properties of DisturbLabelLoss: frequency and distribution of replaced labels, and limits."""
import pytest
import torch
import torch.nn.functional as F

from isda_seg.paper.robust_losses import DisturbLabelLoss
from isda_seg.paper.robust_losses.disturb_label import disturb

CLASSES, IGNORE, MANY = 5, 255, 200_000


def test_labels_are_replaced_with_the_given_probability():
    torch.manual_seed(0)
    labels, alpha = torch.full((MANY,), 2), 0.3
    counts = disturb(labels, CLASSES, alpha, IGNORE).bincount(minlength=CLASSES).double() / MANY
    expected = torch.full((CLASSES,), alpha / CLASSES, dtype=torch.float64)
    expected[2] = 1 - alpha * (CLASSES - 1) / CLASSES
    assert ((counts - expected).abs() < 4 * (expected * (1 - expected) / MANY).sqrt()).all()


def test_ignored_labels_do_not_change():
    torch.manual_seed(0)
    labels = torch.randint(CLASSES, (4, 30, 30))
    labels[:, ::3] = IGNORE
    disturbed = disturb(labels, CLASSES, 1.0, IGNORE)
    assert torch.equal(disturbed == IGNORE, labels == IGNORE)
    assert disturbed[labels != IGNORE].unique().tolist() == list(range(CLASSES))


def test_alpha_0_and_eval_mode_give_cross_entropy_without_sampling():
    logits, labels = torch.randn(20, CLASSES), torch.arange(20) % CLASSES
    state = torch.get_rng_state()
    for loss in (DisturbLabelLoss(0).train(), DisturbLabelLoss(1).eval()):
        assert torch.equal(loss(logits, labels), F.cross_entropy(logits, labels, reduction='sum') / 20)
    assert torch.equal(torch.get_rng_state(), state)


def test_expected_loss_is_cross_entropy_with_smoothed_labels():
    torch.manual_seed(0)
    logits, labels = torch.randn(1, CLASSES).repeat(MANY, 1), torch.full((MANY,), 1)
    smoothed = F.cross_entropy(logits[:1], labels[:1], label_smoothing=0.2)
    assert abs(float(DisturbLabelLoss(0.2)(logits, labels) - smoothed)) < 0.01


@pytest.mark.parametrize('alpha', [-0.1, 5, float('nan')])
def test_alpha_outside_0_to_1_is_an_error(alpha):
    with pytest.raises(ValueError, match=rf'in \[0, 1\], got {alpha}. For 5 per cent set alpha=0.05'):
        DisturbLabelLoss(alpha)
