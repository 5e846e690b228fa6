"""The literal form equals the package in moments, values and gradients, in float64."""
import pytest
import torch

from isda_seg.core import class_moments, isda_cross_entropy, merge
from isda_seg.paper.cost.compared_losses import forward_backward, isda_loss, literal_loss
from isda_seg.paper.cost.literal import LiteralISDA
from isda_seg.paper.cost.workload import TOY_SIZES, make_tensors

N, C, A, IGNORED, STRENGTH = 24, 5, 7, -100, 1.5


def batch(seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(N, A, generator=generator, dtype=torch.float64) + 3
    labels = torch.randint(C - 1, (N,), generator=generator)  # the last class is never seen
    labels[::6] = IGNORED
    return features, labels


@pytest.mark.parametrize('covariance', ['diagonal', 'full'])
def test_literal_form_equals_the_package_in_float64(covariance):
    form = LiteralISDA(C, A, covariance == 'full', STRENGTH, IGNORED, dtype=torch.float64)
    parts = []
    for seed in range(3):
        features, labels = batch(seed)
        form.observe(features, labels)
        parts.append(class_moments(features, labels, C, covariance=covariance, ignore_index=IGNORED))
    moments = merge(*parts)
    torch.testing.assert_close(form.count[:, 0], moments.count.double())
    torch.testing.assert_close(form.mean, moments.mean)
    torch.testing.assert_close(form.covariance, moments.covariance)

    weight, bias = torch.randn(C, A, dtype=torch.float64), torch.randn(C, dtype=torch.float64)
    logits = features @ weight.t() + bias

    def value_and_gradients(loss):
        leaves = [logits.clone().requires_grad_(), weight.clone().requires_grad_()]
        value = loss(*leaves)
        return value, *torch.autograd.grad(value, leaves)

    literal = value_and_gradients(lambda x, w: form.loss(x, labels, (), labels, w, False))
    isda = value_and_gradients(
        lambda x, w: isda_cross_entropy(x, labels, w, moments.covariance, STRENGTH, ignore_index=IGNORED))
    for measurement, other in zip(literal, isda, strict=True):
        torch.testing.assert_close(measurement, other)


@pytest.mark.parametrize('workload', TOY_SIZES, ids=lambda workload: workload.name)
def test_two_steps_equal_the_criterion_at_feature_resolution(workload):
    tensors = make_tensors(workload, torch.device('cpu'))
    losses = literal_loss(tensors, workload), isda_loss(tensors, workload, 'feature')
    for _ in range(2):
        found = []
        for loss in losses:
            value = loss()
            found.append((value, *torch.autograd.grad(value, (tensors.logits, tensors.classifier.weight))))
        for measurement, other in zip(*found, strict=True):
            torch.testing.assert_close(measurement, other)


def test_forward_backward_leaves_no_gradient():
    workload = TOY_SIZES[0]
    tensors, seen = make_tensors(workload, torch.device('cpu')), []
    tensors.classifier.weight.register_hook(lambda grad: seen.append(grad.shape))
    forward_backward(isda_loss(tensors, workload), tensors)()
    assert seen == [tensors.classifier.weight.shape]
    assert tensors.classifier.weight.grad is None and tensors.logits.grad is None
