"""Under torch.compile the loss equals the eager loss at every step."""

import shutil

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.core.ops.opaque import opaque
from isda_seg.criterion import ISDACriterion

CLASSES, IGNORE, STEPS = 5, 255, 4
needs_a_compiler = pytest.mark.skipif(shutil.which('g++') is None, reason='inductor needs a C++ compiler on a CPU')


class TwoHeads(nn.Module):
    """Two heads with weights 1.0 and 0.4; the second has its own ramp and a 3x3 convolution."""

    def __init__(self, resolution):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.heads = nn.ModuleList([nn.Conv2d(8, CLASSES, 1), nn.Conv2d(8, CLASSES, 3, padding=1)])
        self.losses = nn.ModuleList([
            ISDACriterion(resolution=resolution, ignore_index=IGNORE),
            ISDACriterion(resolution=resolution, ignore_index=IGNORE, lambda_0=3.0, total_steps=STEPS)])
        for loss, head in zip(self.losses, self.heads, strict=True):
            attach(loss, head)

    def forward(self, images, labels):
        features = self.stem(images).relu()
        return sum(weight * loss(F.interpolate(head(features), size=labels.shape[1:], mode='bilinear'), labels)
                   for weight, loss, head in zip((1.0, 0.4), self.losses, self.heads, strict=True))


def steps(resolution, compiled):
    """Loss, gradients and statistics of each step, with more void and a greater strength from step to step."""
    torch.manual_seed(0)
    model, found = TwoHeads(resolution), []
    call = torch.compile(model) if compiled else model
    for step in range(STEPS):
        generator = torch.Generator().manual_seed(step)
        images, labels = torch.randn(2, 3, 8, 8, generator=generator), torch.randint(
            CLASSES, (2, 16, 16), generator=generator)
        labels[:, :3 * step] = IGNORE
        model.losses[0].strength = step + 1
        model.zero_grad()
        loss = call(images, labels)
        loss.backward()
        found.append([loss, *(parameter.grad for parameter in model.parameters()),
                      *(field for head in model.losses for field in head.statistics.moments)])
    return found


@needs_a_compiler
@pytest.mark.parametrize('resolution', ['label', 'feature'])
def test_two_unequal_heads_train_compiled_as_they_do_eagerly_at_every_step(resolution):
    compiled = steps(resolution, compiled=True)  # first, before anything is excluded from the compiler
    assert_close(compiled, steps(resolution, compiled=False))


def test_an_opaque_function_keeps_name_docstring_and_result():
    def twice(number: int) -> int:
        """Twice the input."""
        return 2 * number

    assert (opaque(twice)(3), opaque(twice).__name__, opaque(twice).__doc__) == (6, 'twice', 'Twice the input.')
