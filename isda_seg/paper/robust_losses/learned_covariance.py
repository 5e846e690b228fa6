"""ISDA with learned instead of estimated covariances (Fig. 10)."""
import math
from collections.abc import Callable
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.core import ClassStatistics
from isda_seg.core.ops.labels import labelled
from isda_seg.losses import ISDALoss

NORMAL = (1 + math.log(2 * math.pi)) / 2  # entropy of a standard normal variable


class LearnedCovariance(nn.Module):
    """Learned covariances ``Sigma_y = D_y D_y^T`` with a parameter D; replaces ``ClassStatistics`` in a loss.

    During a warm-up D is 0 and the variances of the features are estimated. Then D is set to the identity times the
    square root of their mean over classes and channels.

    Args:
        num_classes: C.
        channels: A.
        warm_up: number of training calls before D is learned.

    Attributes:
        factor: D (C, A, A). Set ``decay_mult=0`` for it, because weight decay would shrink it.

    Raises:
        ValueError: ``warm_up`` is less than 1.
    """

    steps: Tensor

    def __init__(self, num_classes: int, channels: int, warm_up: int) -> None:
        super().__init__()
        if warm_up < 1:
            raise ValueError(f'warm_up must be at least 1 training call, got {warm_up}: the covariances are '
                             'initialised from the features of the warm-up')
        self.num_classes, self.channels, self.warm_up = num_classes, channels, warm_up
        self.observed = ClassStatistics(num_classes, channels, 'diagonal')
        self.factor = nn.Parameter(torch.zeros(num_classes, channels, channels))
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))
        self.present: Tensor | None = None

    @property
    def covariance(self) -> Tensor:
        """Covariances (C, A, A).

        The gradient is twice that of the left factor, which equals that of both factors if the incoming gradient is
        symmetric.
        """
        left = self.factor @ self.factor.detach().mT
        return 2 * left - left.detach()

    @property
    def count(self) -> Tensor:
        """Number of samples per class (C,) in the warm-up."""
        return self.observed.count

    @property
    def dropped(self) -> Tensor:
        """Number of non-finite features in the warm-up."""
        return self.observed.dropped

    @torch.no_grad()
    def observe(self, features: Tensor, labels: Tensor, ignore_index: int | None = None, *,
                checked: bool = False, reversible: bool = False) -> Callable[[], None]:
        """Observe a batch as ``ClassStatistics.observe``; statistics are updated only during the warm-up."""
        self.present = torch.unique(labels[labelled(labels, ignore_index)])
        if self.steps >= self.warm_up:
            return lambda: None
        undo_observation = self.observed.observe(features, labels, ignore_index, checked=checked, reversible=reversible)
        self.steps += 1

        @torch.no_grad()
        def undo() -> None:
            undo_observation()
            self.steps -= 1
            self.factor.zero_()  # as in the whole warm-up

        if self.steps == self.warm_up:
            seen = self.observed.count > 1
            deviation = self.observed.covariance[seen].mean().sqrt() if seen.any() else self.factor.new_zeros(())
            self.factor.copy_(deviation * torch.eye(self.channels, device=self.factor.device))
        return undo

    def uncertainty(self, sigma: float) -> Tensor:
        """Return how far the mean entropy per channel of the batch's classes is below that of ``N(0, sigma)``."""
        if self.present is None or self.steps < self.warm_up:
            return self.factor.new_zeros(())
        entropy = NORMAL + torch.linalg.slogdet(self.factor[self.present])[1] / self.channels
        return (math.log(sigma) + NORMAL - entropy).relu().mean()

    def raise_overflow(self) -> None:
        """Raise deferred errors, as ``ClassStatistics.raise_overflow``."""
        self.observed.raise_overflow()


@MODELS.register_module()
class LearnedISDALoss(ISDALoss):
    """ISDA with covariances that are learned with the network, in closed form or with ``samples`` (Fig. 10).

    The feature-uncertainty term is that of DistributionNet (Yu et al., 2019) with the entropy of ``Sigma_y``. Without
    it the covariances shrink to 0, because smaller ones give a smaller loss. With it they can shrink in the directions
    that the classifier uses and grow in the others. If D loses rank, the gradient of the term is unbounded and training
    may diverge; then change the weight, or use a smaller learning rate for D (``lr_mult``).

    Args:
        lambda_0: as in ``ISDALoss``.
        num_classes: C.
        channels: A.
        warm_up: number of training calls before the covariances are learned.
        uncertainty: weight of the feature-uncertainty term.
        sigma: standard deviation below which features are penalised, in units of the features.
        keys: further arguments of ``ISDALoss``, except covariance and sync.

    Raises:
        ValueError: as in ``ISDALoss``; an invalid weight, sigma or warm-up.
    """

    def __init__(self, lambda_0: float, num_classes: int, channels: int, *, warm_up: int = 100,
                 uncertainty: float = 0.0, sigma: float = 1.0, **keys: Any) -> None:
        super().__init__(lambda_0, **keys)
        if not (uncertainty >= 0 and sigma > 0):
            raise ValueError(f'uncertainty must be >= 0 and sigma > 0, got {uncertainty} and {sigma}')
        self.uncertainty, self.sigma = uncertainty, sigma
        self.covariance = 'learned'
        self.statistics: Any = LearnedCovariance(num_classes, channels, warm_up)

    def forward(self, cls_score: Tensor, label: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """Return the loss of ``ISDALoss.forward`` plus the feature-uncertainty term."""
        loss = super().forward(cls_score, label, *args, **kwargs)
        if not (self.training and torch.is_grad_enabled() and self.uncertainty):
            return loss
        return loss + self.uncertainty * self.statistics.uncertainty(self.sigma)
