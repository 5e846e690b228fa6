"""Centre loss: features are drawn to the centre of their class."""
import math

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class CenterLoss(nn.Module):
    """``weight / 2 * mean |a - c_y|^2``, to be added to the cross-entropy (Wen et al., 2016, Eqs. 2-5).

    The gradient goes to the features alone. After each training call a centre moves by ``rate`` times
    ``sum (a - c_y) / (1 + n_y)`` over the n_y features of its class, those of all ranks. Centres begin at 0.

    Args:
        classifier: of weight (C, A), which says how many centres there are; an ``ImageClassifier`` gives its own.
        weight: lambda of Wen et al., who use 0.003; the ISDA paper names none.
        rate: of the centres, in [0, 1].

    Attributes:
        centers: (C, A), the state dict.

    Raises:
        ValueError: a negative or infinite weight, a rate outside of [0, 1].
    """

    centers: Tensor

    def __init__(self, classifier: nn.Linear, weight: float = 0.003, rate: float = 0.5) -> None:
        super().__init__()
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f'weight of the centre loss must be a finite number >= 0, got {weight}')
        if not 0 <= rate <= 1:
            raise ValueError(f'rate of the centres must be between 0 and 1, got {rate}: 1 takes them to the mean')
        self.weight, self.rate = weight, rate
        self.register_buffer('centers', torch.zeros_like(classifier.weight.detach()))

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (N, A), labels (N,); a scalar."""
        away = features - self.centers[labels]
        if self.training and torch.is_grad_enabled():
            self._follow(away.detach(), labels)
        return self.weight / 2 * away.square().sum(dim=1).mean()

    def _follow(self, away: Tensor, labels: Tensor) -> None:
        """Move the centres towards their features; ``away`` (N, A) is from the centre to the feature."""
        total = torch.zeros_like(self.centers).index_add_(0, labels, away.to(self.centers.dtype))
        count = F.one_hot(labels, len(self.centers)).sum(dim=0)
        all_reduce(total)
        all_reduce(count)
        self.centers += self.rate * total / (1 + count[:, None])
