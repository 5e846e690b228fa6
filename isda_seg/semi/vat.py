"""Virtual Adversarial Training (Miyato et al., T-PAMI 2019): no small step may change a prediction."""
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.runtime.isolation import frozen_running_stats, same_random_numbers
from isda_seg.semi.method import Method, Student


@MODELS.register_module()
class VAT(Method):
    """KL divergence from the prediction to that for the image moved by epsilon in the worst direction (Section 5).

    The direction comes from one power iteration. All passes of a step drop the same units, are normalised by their
    batch without touching running statistics (those follow the labelled images), and run in float32; the gradient with
    respect to the image leaves no other gradient behind.

    Args:
        eta_2, ramp_epochs: as in ``Method``; 1 and no ramp.
        epsilon: length of the step, in units of the whitened image; 8 on CIFAR, 3.5 on SVHN, both with augmentation.
        xi: length of the step that finds the direction. The original's 1e-6 is lost in float32: of an image with
            unit variance most pixels stay as they are.
        power_iterations: how often the direction is refined.
    """

    def __init__(self, eta_2: float = 1.0, ramp_epochs: float = 0, epsilon: float = 8.0, xi: float = 0.1,
                 power_iterations: int = 1) -> None:
        super().__init__(eta_2, ramp_epochs)
        if epsilon <= 0 or xi < 1e-3 or power_iterations < 1:
            raise ValueError(f'VAT needs epsilon > 0, xi >= 0.001 (less is lost in float32) and at least one power '
                             f'iteration, got {epsilon}, {xi} and {power_iterations}')
        self.epsilon, self.xi, self.power_iterations = epsilon, xi, power_iterations

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        images = unlabelled['views'][0].float()
        with torch.autocast(images.device.type, enabled=False), frozen_running_stats(student):
            direction = torch.randn_like(images)
            again = same_random_numbers(images.device)
            logits = student(images)
            target = logits.detach().log_softmax(dim=1)
            for _ in range(self.power_iterations):
                step = (self.xi * unit(direction)).requires_grad_()
                with again():
                    distance = divergence(target, student(images + step)).sum()
                direction, = torch.autograd.grad(distance, step)
            with again():
                moved = student(images + self.epsilon * unit(direction))
            return logits, divergence(target, moved).mean()


def unit(direction: Tensor) -> Tensor:
    """Each sample's vector (B, ...) at length 1; 0 stays 0. Scaled before squaring, so that no square underflows."""
    flat = direction.flatten(1)
    flat = flat / flat.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
    return nn.functional.normalize(flat, dim=1).view_as(direction)


def divergence(target: Tensor, logits: Tensor) -> Tensor:
    """KL(target || softmax(logits)) of each sample (B,); target: log-probabilities (B, C)."""
    return (target.exp() * (target - logits.log_softmax(dim=1))).sum(dim=1)
