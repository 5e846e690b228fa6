"""Memory allocated by ISDA at the size of a Cityscapes crop."""
import pytest
import torch
from torch import nn

from isda_seg.attach import attach
from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.core.ops import device
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.cost.meter import cpu_peak_bytes

B, C, A, SMALL, LARGE = 1, 19, 512, 97, 769
FULL_LOGITS = B * C * LARGE * LARGE * 4


def test_peak_bytes_counts_simultaneously_allocated_tensors():
    def one_after_the_other():
        for _ in range(3):
            torch.empty(1 << 20, dtype=torch.uint8)

    def together():
        return [torch.empty(1 << 20, dtype=torch.uint8) for _ in range(3)]

    assert cpu_peak_bytes(one_after_the_other) == pytest.approx(1 << 20, rel=0.01)
    assert cpu_peak_bytes(together) == pytest.approx(3 << 20, rel=0.01)


@pytest.mark.parametrize('resolution, cpu_types', [('label', ('cpu',)), ('feature', ('cpu',)), ('label', ())])
def test_no_tensor_of_the_order_samples_x_classes_x_channels(resolution, cpu_types, monkeypatch):
    """Forward and backward pass of the loss without logits and their gradient, on a CPU and a simulated accelerator."""
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(B, A, SMALL, SMALL, generator=generator)
    labels = torch.randint(C, (B, LARGE, LARGE), generator=generator)
    classifier = nn.Conv2d(A, C, 1)
    isda = ISDACriterion(resolution=resolution, ignore_index=255)
    attach(isda, classifier, align_corners=True)
    small = classifier(features)
    logits = nn.functional.interpolate(small, size=(LARGE, LARGE), mode='bilinear', align_corners=True)
    logits = logits.detach().requires_grad_()
    isda.strength = 7.5
    isda(logits, labels).backward()  # the first step verifies a whole image

    def peak_of_step(loss):
        logits.grad = None
        isda.capture(classifier, (features,))
        return cpu_peak_bytes(lambda: loss(logits, labels, ignore_index=255).backward())

    plain, ours = peak_of_step(MeanCrossEntropy()), peak_of_step(isda)
    assert plain >= FULL_LOGITS
    assert ours <= 1.05 * plain
    assert ours < B * SMALL * SMALL * C * A * 4 / 2
