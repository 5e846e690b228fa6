"""Properties of VAT: reference value, shared dropout and batch statistics, unchanged gradients."""
import numpy as np
import pytest
import torch
from helpers.tiny_semi import Backbone, Linear, images, softmax
from torch import nn
from torch.testing import assert_close

from isda_seg.classification.classifier import classify
from isda_seg.semi.vat import VAT, divergence, unit


class Network(nn.Module):
    def __init__(self, dropout=0.5):
        super().__init__()
        torch.manual_seed(0)
        self.backbone, self.fc = Backbone(dropout), nn.Linear(5, 4)

    def forward(self, batch):
        return classify(batch, self.backbone, self.fc)


def lengths(vectors):
    return np.sqrt((vectors ** 2).sum(axis=1, keepdims=True))


def kl(p, q):
    return (p * (np.log(p) - np.log(q))).sum(axis=1)


@pytest.mark.parametrize('iterations', [1, 2])
def test_term_equals_a_numpy_reference(iterations):
    student, batch = Linear(), images()
    method = VAT(epsilon=0.7, xi=0.1, power_iterations=iterations)
    torch.manual_seed(4)
    logits, term = method(student, dict(views=[batch]))
    torch.manual_seed(4)
    direction = torch.randn_like(batch).double().flatten(1).numpy()
    pixels, weight = batch.double().flatten(1).numpy(), student.weight.detach().numpy()
    p = softmax(pixels @ weight.T)
    for _ in range(iterations):
        moved = softmax((pixels + 0.1 * direction / lengths(direction)) @ weight.T)
        direction = (moved - p) @ weight  # the gradient of KL(p || softmax(W (x + d))) with respect to d
    worst = softmax((pixels + 0.7 * direction / lengths(direction)) @ weight.T)
    assert_close(term.item(), kl(p, worst).mean(), rtol=1e-4, atol=1e-7)
    assert torch.equal(logits, student(batch))


def test_the_gradient_is_of_the_moved_prediction_alone():
    student, batch = Linear(), images()
    torch.manual_seed(4)
    found, = torch.autograd.grad(VAT(epsilon=0.7)(student, dict(views=[batch]))[1], student.weight)
    entered = []
    torch.manual_seed(4)
    VAT(epsilon=0.7)(lambda x: (entered.append(x.detach()), student(x))[1], dict(views=[batch]))
    target = student(batch).detach().log_softmax(1)
    expected, = torch.autograd.grad(divergence(target, student(entered[-1])).mean(), student.weight)
    assert_close(found, expected)


def test_all_passes_of_a_step_share_the_dropout_mask():
    network, masks = Network(), []
    network.backbone.dropout.register_forward_hook(
        lambda module, inputs, output: masks.append((output != 0) | (inputs[0] == 0)))
    network.backbone.norm = nn.Identity()
    for _ in range(2):
        VAT(epsilon=1e-3, xi=1e-3)(network, dict(views=[5 + images()]))
    clean, power, moved, later = masks[:4]
    assert torch.equal(clean, power) and torch.equal(clean, moved)
    assert not torch.equal(clean, later) and 0.3 < clean.float().mean() < 1.0


def test_default_xi_finds_the_direction_of_the_float64_limit():
    network, batch = Network(dropout=0.0), images(32)
    torch.manual_seed(1)
    start = torch.randn(32, 3, 2, 2)

    def direction(model, x, xi):
        target = model(x).detach().log_softmax(1)
        step = (xi * unit(start.to(x.dtype))).requires_grad_()
        return unit(torch.autograd.grad(divergence(target, model(x + step)).sum(), step)[0]).flatten(1)

    found = direction(network, batch, VAT().xi)
    exact = direction(network.double(), batch.double(), 1e-6)
    assert (found.double() * exact).sum(1).min() > 0.99


def test_a_step_too_small_for_float32_is_refused():
    with pytest.raises(ValueError, match='xi >= 0.001'):
        VAT(xi=1e-6)


def test_half_precision_is_switched_off():
    network, batch = Network(), images()
    values = []
    for enabled in (False, True):
        torch.manual_seed(2)
        with torch.autocast('cpu', torch.bfloat16, enabled=enabled):
            values.append(VAT()(network, dict(views=[batch]))[1])
    assert values[0].dtype == torch.float32 and torch.equal(*values)


def test_accumulated_gradients_do_not_change():
    network = Network()
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, 7.0)
    VAT()(network, dict(views=[images()]))
    assert all(torch.equal(parameter.grad, torch.full_like(parameter, 7.0)) for parameter in network.parameters())


def test_running_statistics_are_left_to_the_labelled_images():
    network = Network().train()
    VAT()(network, dict(views=[5 + images()]))
    assert torch.equal(network.backbone.norm.running_mean, torch.zeros(5))
    assert int(network.backbone.norm.num_batches_tracked) == 0


def test_term_of_a_constant_prediction_is_0():
    student = Linear()
    with torch.no_grad():
        student.weight.zero_()
    _, term = VAT()(student, dict(views=[images()]))
    assert term.item() == 0.0
    term.backward()
    assert torch.equal(student.weight.grad, torch.zeros_like(student.weight))


def test_unit_vectors_have_length_1_even_where_squares_underflow():
    vectors = images() * torch.tensor([1e-30, 1.0, 1e30, 1e-20, 5.0, 0.0]).view(6, 1, 1, 1)
    assert_close(unit(vectors).flatten(1).norm(dim=1), torch.tensor([1.0, 1, 1, 1, 1, 0]))
