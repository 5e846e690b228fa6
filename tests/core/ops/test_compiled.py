"""Properties of the compiled pass, tested on a CPU: equal to the CPU path, with an eager fallback."""

import shutil
import warnings

import pytest
import torch
from torch.testing import assert_close

from isda_seg.core import isda_cross_entropy
from isda_seg.core.ops import compiled, device

pytestmark = pytest.mark.exhaustive

IGNORE = 255


@pytest.fixture
def on_a_gpu(monkeypatch):
    """Treat the CPU as a GPU."""
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    monkeypatch.setattr(compiled, 'COMPILED', ('cpu',))
    monkeypatch.setattr(compiled, '_failed', [])


def loss_and_gradients(ignored=5, reduction='mean'):
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(2, 5, 9, 11, generator=generator), torch.randint(5, (2, 9, 11), generator=generator)
    labels[:, ::ignored] = IGNORE
    weight, covariance = (torch.rand(5, 7, generator=generator) for _ in range(2))
    leaves = logits.requires_grad_(), weight.requires_grad_()
    loss = isda_cross_entropy(logits, labels, weight, covariance, 2.0, ignore_index=IGNORE, reduction=reduction)
    once = torch.autograd.grad(3 * loss, leaves, retain_graph=True)
    return (loss, *once, *torch.autograd.grad(loss, leaves))


@pytest.mark.skipif(shutil.which('g++') is None, reason='torch.compile needs a C++ compiler on a CPU')
def test_the_compiled_pass_gives_the_loss_and_gradients_of_a_cpu(request):
    expected = [loss_and_gradients(**options) for options in ({}, dict(ignored=1), dict(reduction='sum'))]
    request.getfixturevalue('on_a_gpu')
    with warnings.catch_warnings():
        warnings.filterwarnings('error', 'torch.compile failed')
        actual = [loss_and_gradients(**options) for options in ({}, dict(ignored=1), dict(reduction='sum'))]
    assert compiled._failed == []
    assert_close(actual, expected)


def test_a_failing_compiler_warns_once_and_changes_nothing(request, monkeypatch):
    def broken():
        raise RuntimeError('no Triton here')

    expected = loss_and_gradients()
    request.getfixturevalue('on_a_gpu')
    monkeypatch.setattr(compiled, '_compiled', broken)
    with pytest.warns(UserWarning, match='ISDA continues with eager operations.*no Triton here'):
        assert_close(loss_and_gradients(), expected)
    with warnings.catch_warnings():
        warnings.filterwarnings('error', 'torch.compile failed')
        assert_close(loss_and_gradients(), expected)
