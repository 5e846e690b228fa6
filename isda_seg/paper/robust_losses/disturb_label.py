"""DisturbLabel: replaces random labels of every batch."""
import torch
from mmengine.registry import MODELS
from torch import Tensor

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.core.ops.labels import labelled


@MODELS.register_module()
class DisturbLabelLoss(MeanCrossEntropy):
    """Mean cross-entropy with labels that are randomly replaced in each training step (Xie et al., 2016, Eq. 2).

    As base of ``ISDALoss`` it affects only the cross-entropy; statistics and margin table use the true labels.

    Args:
        alpha: probability of resampling a label, in [0, 1]; see ``disturb``. The ISDA paper uses 0.05, and 0.1 for
            ResNet-110 on CIFAR-100.

    Raises:
        ValueError: ``alpha`` is outside [0, 1].
    """

    def __init__(self, alpha: float = 0.05) -> None:
        super().__init__()
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha must be a probability in [0, 1], got {alpha}. For 5 per cent set alpha=0.05')
        self.alpha = alpha

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Return the scalar loss of logits (N, C, ...) and labels (N, ...); plain cross-entropy in eval mode."""
        if self.training and self.alpha:
            labels = disturb(labels, logits.shape[1], self.alpha, ignore_index)
        return super().forward(logits, labels, ignore_index)


def disturb(labels: Tensor, num_classes: int, alpha: float, ignore_index: int) -> Tensor:
    """Replace each label with probability alpha by a class sampled uniformly from all C classes.

    A label therefore stays with probability ``1 - alpha (C - 1) / C``. Samples come from torch's global generator.
    Samples with the label ``ignore_index`` stay unchanged.

    Returns:
        tensor with the shape and dtype of ``labels``.
    """
    sampled = torch.rand(labels.shape, device=labels.device) < alpha
    return torch.where(sampled & labelled(labels, ignore_index), torch.randint_like(labels, num_classes), labels)
