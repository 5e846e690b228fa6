"""How a loss averages the cross-entropies of samples: class weights, focal factor, divisor."""
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.core.ops.labels import labelled, number_labelled


def focal_term(entropies: Tensor, gamma: float) -> Tensor:
    """Return ``(1 - p)^gamma l`` for cross-entropies ``l = -log p``, with a finite slope at 0."""
    wrong = (-torch.expm1(-entropies)).clamp(min=torch.finfo(entropies.dtype).eps)
    return wrong.pow(gamma) * entropies


class Averaging(NamedTuple):
    """``factor * sum_i w_i (1 - p_i)^gamma l_i / divisor`` over labelled samples with cross-entropies ``l_i``.

    ``p_i = exp(-l_i)`` is the probability of the true class, ``w_i`` the weight of the label's class.
    """
    number: int | None = None  # the divisor; None: the number of labelled samples, or the sum of their weights
    factor: float = 1.0
    class_weight: Tensor | None = None  # (C,)
    by_weight: bool = False    # whether to divide by the sum of the weights
    gamma: float = 0.0         # of the focal loss; 0 for none
    least: float = 1.0         # lower bound of the divisor, for batches without a labelled sample

    @property
    def uniform(self) -> bool:
        """Whether every labelled sample has the same weight, and a batch without any has the loss 0."""
        return self.class_weight is None and self.gamma == 0 and self.least == 1

    def divisor(self, labels: Tensor, ignore_index: int | None) -> float | Tensor:
        """Return d such that a plain mean is the summed loss divided by d."""
        number = number_labelled(labels, ignore_index) if self.number is None else self.number
        return number if self.factor == 1.0 else number / self.factor

    def of(self, entropies: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
        """Return the mean of cross-entropies (N, ...), 0 where a sample is ignored, by PyTorch's operators."""
        valid = labelled(labels, ignore_index)
        weights = valid.to(entropies.dtype)
        if self.class_weight is not None:
            weights = weights * self.class_weight.to(entropies)[torch.where(valid, labels.long(), 0)]
        if self.gamma:
            entropies = focal_term(entropies, self.gamma)
        divisor = float(self.number) if self.number is not None else \
            (weights if self.by_weight else valid).sum().clamp(min=self.least)
        return self.factor * (weights * entropies).sum() / divisor
