"""Properties of the Pi-model."""
import numpy as np
import torch
from helpers.tiny_semi import Linear, images, softmax
from torch.testing import assert_close

from isda_seg.semi.pi_model import PiModel


def gradient_by_differences(value, weight, step=1e-6):
    found = torch.zeros_like(weight)
    for place in np.ndindex(*weight.shape):
        for sign in (1, -1):
            with torch.no_grad():
                weight[place] += sign * step
                found[place] += sign * value() / (2 * step)
                weight[place] -= sign * step
    return found


def test_term_is_the_mean_squared_difference_of_two_views():
    student, views = Linear(), [images(seed=1), images(seed=2)]
    logits, term = PiModel()(student, dict(views=views))
    weight = student.weight.detach().numpy()
    first, second = (softmax(view.double().flatten(1).numpy() @ weight.T) for view in views)
    assert_close(term.item(), ((first - second) ** 2).mean())
    assert torch.equal(logits, student(views[0])) and logits.requires_grad


def test_gradients_flow_into_both_branches():
    student, views = Linear(), [images(seed=1), images(seed=2)]
    found, = torch.autograd.grad(PiModel()(student, dict(views=views))[1], student.weight)
    expected = gradient_by_differences(lambda: PiModel()(student, dict(views=views))[1].detach(), student.weight)
    assert_close(found, expected, rtol=1e-5, atol=1e-8)
