"""Centre loss: penalises the distance between features and the centre of their class."""
import math

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class CenterLoss(nn.Module):
    """Centre loss ``weight / 2 * mean |a - c_y|^2``, added to the cross-entropy (Wen et al., 2016, Eqs. 2-5).

    The loss has gradients only for the features. After each training call a centre moves by ``rate`` times
    ``sum (a - c_y) / (1 + n_y)`` over the n_y features of its class on all ranks. Centres start at 0.

    Args:
        classifier: Linear layer with weight (C, A), passed by ``ImageClassifier``.
        weight: lambda of Wen et al., who use 0.003; the ISDA paper does not report it.
        rate: update rate of the centres in [0, 1].

    Attributes:
        centers: class centres (C, A), a buffer.

    Raises:
        ValueError: ``weight`` is negative or infinite, or ``rate`` is outside [0, 1].
    """

    softmax = False

    centers: Tensor

    def __init__(self, classifier: nn.Linear, weight: float = 0.003, rate: float = 0.5) -> None:
        super().__init__()
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f'weight of CenterLoss must be a finite number >= 0, got {weight}')
        if not 0 <= rate <= 1:
            raise ValueError(f'rate of CenterLoss must be in [0, 1], got {rate}')
        self.weight, self.rate = weight, rate
        self.register_buffer('centers', torch.zeros_like(classifier.weight.detach()))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of features (N, A) and labels (N,)."""
        offsets = features - self.centers[labels]
        if self.training and torch.is_grad_enabled():
            self._update_centers(offsets.detach(), labels)
        return self.weight / 2 * offsets.square().sum(dim=1).mean()

    def _update_centers(self, offsets: Tensor, labels: Tensor) -> None:
        """Update the centres; ``offsets`` (N, A) is feature minus centre."""
        total = torch.zeros_like(self.centers).index_add_(0, labels, offsets.to(self.centers.dtype))
        count = F.one_hot(labels, len(self.centers)).sum(dim=0)
        all_reduce(total)
        all_reduce(count)
        self.centers += self.rate * total / (1 + count[:, None])
