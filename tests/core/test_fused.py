"""The fused cross-entropy is the plain one of augmented logits, to the second derivative."""
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from isda_seg.core import one_hot
from isda_seg.core.fused import fused_cross_entropy
from isda_seg.core.one_hot import one_hot_chunks

IGNORE = 255


def problem(classes, images=2, pixels=700, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(images, classes, pixels, dtype=dtype, generator=generator)
    labels = torch.randint(classes, (images, pixels), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = IGNORE
    rows = torch.rand(classes, classes, dtype=dtype, generator=generator)
    return logits.requires_grad_(), labels, rows.requires_grad_()


def literal(logits, labels, rows, divisor, shares=None):
    """Pixel by pixel from Eq. 7."""
    total = 0
    for n, label in enumerate(labels.tolist()):
        for p, y in enumerate(label):
            if y != IGNORE:
                added = rows[y] if shares is None else (shares[n, :, p, None] * rows).sum(dim=0)
                z = logits[n, :, p] + added
                total = total - (z[y] - z.exp().sum().log())
    return total / divisor


def some_shares(logits):
    return torch.rand(logits.shape, dtype=logits.dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize('classes', [2, 3, 11])
@pytest.mark.parametrize('shared', [False, True])
def test_value_and_gradients_equal_the_literal_form_over_any_number_of_chunks(classes, shared, monkeypatch):
    monkeypatch.setattr(one_hot, 'CPU_CHUNK', 1)  # 256 pixels in a chunk
    logits, labels, rows = problem(classes)
    shares = some_shares(logits) if shared else None
    fused = fused_cross_entropy(logits, labels, rows, IGNORE, 7.0, shares)
    slow = literal(logits, labels, rows, 7.0, shares)
    assert_close(fused, slow)
    assert_close(torch.autograd.grad(3 * fused, (logits, rows)), torch.autograd.grad(3 * slow, (logits, rows)))


@pytest.mark.parametrize('shared', [False, True])
def test_first_and_second_derivatives_equal_finite_differences(shared):
    logits, labels, rows = problem(3, pixels=5)
    shares = some_shares(logits) if shared else None

    def loss(logits, rows):
        return fused_cross_entropy(logits, labels, rows, IGNORE, 4.0, shares)

    assert torch.autograd.gradcheck(loss, (logits, rows)) is True
    assert torch.autograd.gradgradcheck(loss, (logits, rows)) is True


def test_two_backward_passes_give_the_gradient_twice():
    logits, labels, rows = problem(4)
    loss = fused_cross_entropy(logits, labels, rows, IGNORE, 1.0)
    loss.backward(retain_graph=True)
    once = logits.grad.clone(), rows.grad.clone()
    loss.backward()
    assert_close((logits.grad, rows.grad), (2 * once[0], 2 * once[1]))


def test_large_logits_stay_finite_and_equal_pytorchs():
    logits, labels, rows = problem(5, dtype=torch.float32)
    huge = (1e4 * logits).detach().requires_grad_()
    assert_close(fused_cross_entropy(huge, labels, 0 * rows, IGNORE, 1.0),
                 F.cross_entropy(huge, labels, ignore_index=IGNORE, reduction='sum'))


def test_ignored_pixels_get_no_loss_and_no_gradient():
    logits, labels, rows = problem(4)
    fused_cross_entropy(logits, torch.full_like(labels, IGNORE), rows, IGNORE, 1.0).backward()
    assert int(logits.grad.count_nonzero()) == int(rows.grad.count_nonzero()) == 0


def test_chunks_cover_every_pixel_once_with_its_label(monkeypatch):
    monkeypatch.setattr(one_hot, 'CPU_CHUNK', 1)
    _, labels, rows = problem(4)
    seen = torch.zeros(2, 4, 700)
    with torch.no_grad():
        for chunk in one_hot_chunks(labels, seen, 4, IGNORE):
            seen[chunk.image, :, chunk.pixels] += chunk.member
    assert torch.equal(seen, F.one_hot(torch.where(labels == IGNORE, 4, labels), 5)[..., :4].transpose(1, 2).float())
