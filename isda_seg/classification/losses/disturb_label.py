"""DisturbLabel: some labels of every batch are drawn anew."""
import torch
from mmengine.registry import MODELS
from torch import Tensor

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.core.ops.checks import labelled


@MODELS.register_module()
class DisturbLabelLoss(MeanCrossEntropy):
    """Mean cross-entropy of labels that are disturbed anew in each training step (Xie et al., 2016, Eq. 2).

    As base of ``ISDALoss`` it disturbs the labels alone: statistics and table follow the true ones.

    Args:
        alpha: probability of a new draw in [0, 1], see ``disturb``. The ISDA paper: 0.05, and 0.1 for ResNet-110 on
            CIFAR-100.

    Raises:
        ValueError: alpha outside of [0, 1].
    """

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha is a probability between 0 and 1, got {alpha}: 5 per cent are alpha=0.05')
        self.alpha = alpha

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Logits (N, C, ...), labels (N, ...); a scalar. In eval mode plain cross-entropy."""
        if self.training and self.alpha:
            labels = disturb(labels, logits.shape[1], self.alpha, ignore_index)
        return super().forward(logits, labels, ignore_index)


def disturb(labels: Tensor, num_classes: int, alpha: float, ignore_index: int) -> Tensor:
    """With probability alpha a label becomes one of all C classes, each as likely, the true one included.

    So a label stays with probability ``1 - alpha (C - 1) / C``. Draws come from torch's global generator.

    Args:
        labels: (N, ...) integers.
        num_classes: C.
        alpha: in [0, 1].
        ignore_index: labels that stay as they are.

    Returns:
        like labels.
    """
    drawn = torch.rand(labels.shape, device=labels.device) < alpha
    return torch.where(drawn & labelled(labels, ignore_index), torch.randint_like(labels, num_classes), labels)
