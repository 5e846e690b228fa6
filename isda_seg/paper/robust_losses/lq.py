"""Lq loss: interpolates between cross-entropy and mean absolute error."""
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.core.functional import cross_entropy
from isda_seg.core.ops.labels import number_labelled


@MODELS.register_module()
class LqLoss(nn.Module):
    """Lq loss ``(1 - p_y^q) / q``, not truncated, mean over labelled samples (Zhang and Sabuncu, 2018, Eq. 6).

    It is a concave, increasing function of the cross-entropy, so as base of ``ISDALoss`` it still upper-bounds the
    expected loss over augmented features.

    Args:
        q: in (0, 1]. The limit 0 is cross-entropy, 1 is half the mean absolute error. The ISDA paper uses 0.4.

    Raises:
        ValueError: ``q`` is outside (0, 1].
    """

    softmax = True

    def __init__(self, q: float = 0.4) -> None:
        super().__init__()
        if not 0 < q <= 1:
            raise ValueError(f'q must be in (0, 1], got {q}. For the limit 0, which is cross-entropy, omit the loss')
        self.q = q

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Return the scalar loss of logits (N, C, ...) and labels (N, ...); 0 without labelled samples."""
        entropy = cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none')  # 0 where ignored
        return -torch.expm1(-self.q * entropy).sum() / self.q / number_labelled(labels, ignore_index)
