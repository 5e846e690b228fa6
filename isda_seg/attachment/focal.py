"""Softmax focal loss, a base loss for ISDA (the FocalLoss of MMSegmentation is a sigmoid loss)."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.core.averaging import focal_term


class SoftmaxFocalLoss(nn.Module):
    """Focal loss ``-(1 - p_y)^gamma log p_y`` with a softmax, mean over labelled samples (Lin et al., 2017).

    Args:
        gamma: focusing parameter >= 0; 0 is cross-entropy.
        class_weight: weight of each class, or None.
        loss_weight: factor of the result.
        loss_name: key in the training log.
    """

    softmax = True

    def __init__(self, gamma: float = 2.0, class_weight: list[float] | None = None, loss_weight: float = 1.0,
                 loss_name: str = 'loss_focal') -> None:
        super().__init__()
        if gamma < 0:
            raise ValueError(f'gamma must be >= 0, got {gamma}')
        self.gamma, self.loss_weight, self.loss_name = gamma, loss_weight, loss_name
        self.class_weight = None if class_weight is None else torch.tensor(class_weight)

    def forward(self, logits: Tensor, labels: Tensor, weight: Tensor | None = None, ignore_index: int = -100,
                reduction_override: str | None = None) -> Tensor:
        """Return the scalar loss of logits (N, C, ...) and labels (N, ...).

        ``weight`` is (N, ...). With ``reduction_override`` 'none', return the losses (N, ...), with 'sum' their sum.
        """
        labels = labels.long()
        class_weight = None if self.class_weight is None else self.class_weight.to(logits)
        entropy = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none')
        loss = focal_term(entropy, self.gamma)
        if class_weight is not None:
            loss = loss * class_weight[torch.where(labels == ignore_index, 0, labels)]
        if weight is not None:
            loss = loss * weight
        if reduction_override == 'none':
            return self.loss_weight * loss
        total = loss.sum()
        return self.loss_weight * (total if reduction_override == 'sum' else
                                   total / (labels != ignore_index).sum().clamp(min=1))
