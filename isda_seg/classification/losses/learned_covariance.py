"""Covariances that the loss learns, in the place of those that are observed (Fig. 10)."""
import math
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.core import ClassStatistics
from isda_seg.core.ops.checks import labelled
from isda_seg.losses import ISDALoss

NORMAL = (1 + math.log(2 * math.pi)) / 2  # entropy of a standard normal number


class LearnedCovariance(nn.Module):
    """``Sigma_y = D_y D_y^T`` with a parameter D, in a loss's place for ``ClassStatistics``.

    Over a warm-up it observes the features' variances, and D is 0; then D begins as the identity times the root of
    their mean over classes and channels.

    Args:
        num_classes: C.
        channels: A.
        warm_up: training calls before it learns.

    Attributes:
        factor: D (C, A, A). Weight decay would shrink it: give it ``decay_mult=0``.

    Raises:
        ValueError: a warm-up of no call.
    """

    steps: Tensor

    def __init__(self, num_classes: int, channels: int, warm_up: int) -> None:
        super().__init__()
        if warm_up < 1:
            raise ValueError(f'warm_up must be at least 1 training call, got {warm_up}: the covariances begin with the '
                             'spread of the features that they saw')
        self.num_classes, self.channels, self.warm_up = num_classes, channels, warm_up
        self.observed = ClassStatistics(num_classes, channels, 'diagonal')
        self.factor = nn.Parameter(torch.zeros(num_classes, channels, channels))
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))
        self.present: Tensor | None = None

    @property
    def covariance(self) -> Tensor:
        """(C, A, A), with gradients: twice those of the left side, which are those of both where it is symmetric."""
        left = self.factor @ self.factor.detach().mT
        return 2 * left - left.detach()

    @property
    def count(self) -> Tensor:
        """(C,), of the warm-up."""
        return self.observed.count

    @property
    def dropped(self) -> Tensor:
        """Features that were no numbers, in the warm-up."""
        return self.observed.dropped

    @torch.no_grad()
    def observe(self, features: Tensor, labels: Tensor, ignore_index: int | None = None, *,
                checked: bool = False) -> None:
        """A batch, as ``ClassStatistics.observe``; it is counted in the warm-up alone."""
        self.present = torch.unique(labels[labelled(labels, ignore_index)])
        if self.steps >= self.warm_up:
            return
        self.observed.observe(features, labels, ignore_index, checked=checked)
        self.steps += 1
        if self.steps == self.warm_up:
            seen = self.observed.count > 1
            deviation = self.observed.covariance[seen].mean().sqrt() if seen.any() else self.factor.new_zeros(())
            self.factor.copy_(deviation * torch.eye(self.channels, device=self.factor.device))

    def uncertainty(self, sigma: float) -> Tensor:
        """How far the mean entropy of the batch's classes, by channel, is below that of ``N(0, sigma)``; a scalar."""
        if self.present is None or self.steps < self.warm_up:
            return self.factor.new_zeros(())
        entropy = NORMAL + torch.linalg.slogdet(self.factor[self.present])[1] / self.channels
        return (math.log(sigma) + NORMAL - entropy).relu().mean()

    def raise_overflow(self) -> None:
        """As ``ClassStatistics.raise_overflow``."""
        self.observed.raise_overflow()


@MODELS.register_module()
class LearnedISDALoss(ISDALoss):
    """ISDA with covariances that are learned with the network: the closed form, or ``samples`` draws (Fig. 10).

    The term of feature uncertainty is that of DistributionNet (Yu et al., 2019), with the entropy of ``Sigma_y``:
    without it nothing holds the covariances up, because smaller ones make a smaller loss. With it they can shrink where
    the classifier reads and grow where it does not; and where D loses a rank its gradient has no bound, so that
    training may diverge: another weight, or a smaller rate for D (``lr_mult``).

    Args:
        lambda_0: as in ``ISDALoss``.
        num_classes: C.
        channels: A.
        warm_up: training calls before the covariances are learned.
        uncertainty: weight of the term of feature uncertainty.
        sigma: the standard deviation below which features are too certain, in their own unit.
        keys: of ``ISDALoss``, but covariance and sync.

    Raises:
        ValueError: as ``ISDALoss``; a bad weight, sigma or warm-up.
    """

    def __init__(self, lambda_0: float, num_classes: int, channels: int, *, warm_up: int = 100,
                 uncertainty: float = 0.0, sigma: float = 1.0, **keys: Any) -> None:
        super().__init__(lambda_0, **keys)
        if not (uncertainty >= 0 and sigma > 0):
            raise ValueError(f'uncertainty must be at least 0 and sigma above 0, got {uncertainty} and {sigma}')
        self.uncertainty, self.sigma = uncertainty, sigma
        self.covariance = 'learned'
        self.statistics: Any = LearnedCovariance(num_classes, channels, warm_up)

    def forward(self, cls_score: Tensor, label: Tensor, *args: Any, **kwargs: Any) -> Tensor:  # type: ignore[override]
        """As ``ISDALoss.forward``."""
        loss = super().forward(cls_score, label, *args, **kwargs)
        if not (self.training and torch.is_grad_enabled() and self.uncertainty):
            return loss
        return loss + self.uncertainty * self.statistics.uncertainty(self.sigma)
