"""Virtual Adversarial Training (Miyato et al., T-PAMI 2019): robustness to adversarial perturbations."""
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.runtime.isolation import frozen_running_stats, same_random_numbers
from isda_seg.semi.method import Method, Student


@MODELS.register_module()
class VAT(Method):
    """KL divergence between the predictions for an image and its adversarial perturbation of norm epsilon (Section 5).

    The adversarial direction is found by power iteration. All forward passes of a step use the same dropout mask and
    float32. They normalise by the batch without updating running statistics, which follow the labelled images. The
    gradient with respect to the image does not accumulate into other gradients.

    Args:
        eta_2: as in ``Method``; default 1.
        ramp_epochs: as in ``Method``; default: no ramp.
        epsilon: norm of the perturbation, in units of the network's input: 8 for ZCA-whitened CIFAR, 3.5 for
            standardised SVHN, both with augmentation.
        xi: step length of the power iteration. The original's 1e-6 is below float32 resolution for most pixels of an
            image with unit variance.
        power_iterations: number of power iterations.
    """

    def __init__(self, eta_2: float = 1.0, ramp_epochs: float = 0, epsilon: float = 8.0, xi: float = 0.1,
                 power_iterations: int = 1) -> None:
        super().__init__(eta_2, ramp_epochs)
        if epsilon <= 0 or xi < 1e-3 or power_iterations < 1:
            raise ValueError(f'VAT needs epsilon > 0, xi >= 0.001 (for float32 precision) and power_iterations >= 1, '
                             f'got {epsilon}, {xi} and {power_iterations}')
        self.epsilon, self.xi, self.power_iterations = epsilon, xi, power_iterations

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the student's logits for the first view, and R."""
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
    """Normalise each sample's vector (B, ...) to norm 1; 0 stays 0. Scaling before squaring prevents underflow."""
    flat = direction.flatten(1)
    flat = flat / flat.abs().amax(dim=1, keepdim=True).clamp(min=torch.finfo(flat.dtype).tiny)
    return nn.functional.normalize(flat, dim=1).view_as(direction)


def divergence(target: Tensor, logits: Tensor) -> Tensor:
    """Return KL(target || softmax(logits)) per sample (B,); ``target`` holds log-probabilities (B, C)."""
    return (target.exp() * (target - logits.log_softmax(dim=1))).sum(dim=1)
