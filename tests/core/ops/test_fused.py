"""The fused cross-entropy equals cross-entropy of augmented logits, up to the second derivative."""
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from isda_seg.core.ops import add_rows
from isda_seg.core.ops.add_rows import one_hot_chunks
from isda_seg.core.ops.fused import fused_cross_entropy

IGNORE = 255


def problem(classes, images=2, pixels=700, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(images, classes, pixels, dtype=dtype, generator=generator)
    labels = torch.randint(classes, (images, pixels), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = IGNORE
    rows = torch.rand(classes, classes, dtype=dtype, generator=generator)
    return logits.requires_grad_(), labels, rows.requires_grad_()


def literal(logits, labels, rows, divisor):
    """Pixel by pixel from Eq. 7."""
    total = 0
    for n, label in enumerate(labels.tolist()):
        for p, y in enumerate(label):
            if y != IGNORE:
                z = logits[n, :, p] + rows[y]
                total = total - (z[y] - z.exp().sum().log())
    return total / divisor


@pytest.mark.parametrize('classes', [2, 3, 11])
def test_chunked_value_and_gradients_equal_the_literal_form(classes, monkeypatch):
    monkeypatch.setattr(add_rows, 'CHUNK', 1)  # 256 pixels in a chunk
    logits, labels, rows = problem(classes)
    fused = fused_cross_entropy(logits, labels, rows, IGNORE, 7.0)
    slow = literal(logits, labels, rows, 7.0)
    assert_close(fused, slow)
    assert_close(torch.autograd.grad(3 * fused, (logits, rows)), torch.autograd.grad(3 * slow, (logits, rows)))


def test_first_and_second_derivatives_equal_finite_differences():
    logits, labels, rows = problem(3, pixels=5)

    def loss(logits, rows):
        return fused_cross_entropy(logits, labels, rows, IGNORE, 4.0)

    assert torch.autograd.gradcheck(loss, (logits, rows)) is True
    assert torch.autograd.gradgradcheck(loss, (logits, rows)) is True


@pytest.mark.parametrize('frozen', [0, 1])
def test_second_derivatives_with_a_frozen_input_equal_pytorch(frozen):
    inputs, labels = problem(3, pixels=40)[::2], problem(3, pixels=40)[1]
    inputs[frozen].requires_grad_(False)
    free = inputs[1 - frozen]

    def second(loss):
        gradient, = torch.autograd.grad(loss, free, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), free)

    assert_close(second(fused_cross_entropy(inputs[0], labels, inputs[1], IGNORE, 4.0)),
                 second(literal(inputs[0], labels, inputs[1], 4.0)))


def changed_between(logits):
    logits.grad.zero_()


def summed_up(logits):
    return None


@pytest.mark.parametrize('between, times', [(changed_between, 1), (summed_up, 2)])
def test_a_modified_gradient_does_not_change_a_second_backward_pass(between, times):
    logits, labels, rows = problem(4)
    loss = fused_cross_entropy(logits, labels, rows, IGNORE, 1.0)
    expected, = torch.autograd.grad(literal(logits, labels, rows, 1.0), logits)
    loss.backward(retain_graph=True)
    assert_close(logits.grad, expected)
    between(logits)
    loss.backward()
    assert_close(logits.grad, times * expected)


def test_a_hook_may_change_the_gradient_in_place():
    logits, labels, rows = problem(4)
    logits.register_hook(lambda grad: grad.mul_(2))
    doubled, = torch.autograd.grad(literal(logits, labels, rows, 1.0), logits)  # through the hook as well
    loss = fused_cross_entropy(logits, labels, rows, IGNORE, 1.0)
    loss.backward(retain_graph=True)
    loss.backward()
    assert_close(logits.grad, 2 * doubled)


def test_two_backward_passes_give_the_gradient_twice():
    logits, labels, rows = problem(4)
    loss = fused_cross_entropy(logits, labels, rows, IGNORE, 1.0)
    loss.backward(retain_graph=True)
    once = logits.grad.clone(), rows.grad.clone()
    loss.backward()
    assert_close((logits.grad, rows.grad), (2 * once[0], 2 * once[1]))


@pytest.mark.parametrize('second_derivative', [False, True])
@pytest.mark.parametrize('changed', ['logits', 'labels', 'rows'])
def test_an_argument_changed_in_place_fails_in_a_second_backward_pass(changed, second_derivative):
    logits, labels, rows = problem(4)
    loss = fused_cross_entropy(logits, labels, rows, IGNORE, 5.0)
    torch.autograd.grad(loss, logits, retain_graph=True)
    named = dict(logits=logits, labels=labels, rows=rows)
    with torch.no_grad():
        named[changed].zero_()
    with pytest.raises(RuntimeError, match='modified by an inplace operation'):
        torch.autograd.grad(loss, logits, create_graph=second_derivative)


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
    monkeypatch.setattr(add_rows, 'CHUNK', 1)
    _, labels, rows = problem(4)
    seen = torch.zeros(2, 4, 700)
    with torch.no_grad():
        for chunk in one_hot_chunks(labels, seen, 4, IGNORE):
            seen[chunk.image, :, chunk.pixels] += chunk.member
    assert torch.equal(seen, F.one_hot(torch.where(labels == IGNORE, 4, labels), 5)[..., :4].transpose(1, 2).float())
