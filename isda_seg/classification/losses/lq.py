"""Lq loss: between cross-entropy and mean absolute error."""
import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.core.functional import cross_entropy
from isda_seg.core.ops.checks import number_labelled


@MODELS.register_module()
class LqLoss(nn.Module):
    """``(1 - p_y^q) / q``, not truncated, mean over labelled samples (Zhang and Sabuncu, 2018, Eq. 6).

    It is a concave, growing function of the cross-entropy, so as base of ``ISDALoss`` its value still bounds the
    expected loss over the moved features.

    Args:
        q: in (0, 1]; towards 0 it is cross-entropy, 1 is half the mean absolute error. The ISDA paper: 0.4.

    Raises:
        ValueError: q outside of (0, 1].
    """

    def __init__(self, q: float = 0.4) -> None:
        super().__init__()
        if not 0 < q <= 1:
            raise ValueError(f'q must be above 0 and at most 1, got {q}: the limit 0 is cross-entropy, for which leave '
                             'the loss out')
        self.q = q

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Logits (N, C, ...), labels (N, ...); a scalar, 0 where nothing is labelled."""
        entropy = cross_entropy(logits, labels, ignore_index=ignore_index, reduction='none')  # 0 where ignored
        return -torch.expm1(-self.q * entropy).sum() / self.q / number_labelled(labels, ignore_index)
