"""DistributionNet: each feature is a Gaussian of its own, a draw from it is classified too."""
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class DistributionNetLoss(nn.Module):
    """The terms that DistributionNet adds to the cross-entropy of the mean (Yu et al., 2019, as its public code).

    ``sample_weight * CE(fc(a + sigma * eps)) + uncertainty_weight * mean relu(gamma - H / A)``, with one draw eps of a
    standard normal, ``gamma = ln(average) + (1 + ln 2 pi) / 2`` and H the entropy of the Gaussian: sigma would shrink
    to 0 without the second term. The pooled feature a is its mean, and what is tested. sigma (A numbers for an image)
    is softplus of a convolution over the whole last map.

    Args:
        classifier: of A channels; an ``ImageClassifier`` gives its own.
        map_size: height and width of the last map, or the one number that is both.
        average: sigma's wanted geometric mean, in the features' unit: the code's 5 belongs to features of another size.
        sample_weight, uncertainty_weight: of the two terms; theirs: 0.1 and 0.001.
        label_smoothing: in the cross-entropy of the draw; theirs 0.1, in the cross-entropy of the mean as well.

    Raises:
        ValueError: an average that is not positive, a negative weight.
    """

    def __init__(self, classifier: nn.Linear, map_size: int | Sequence[int], average: float = 5.0,
                 sample_weight: float = 0.1, uncertainty_weight: float = 0.001, label_smoothing: float = 0.1) -> None:
        super().__init__()
        if not (math.isfinite(average) and average > 0):
            raise ValueError(f'average is that of standard deviations: it must be a positive number, got {average}')
        for name, weight in dict(sample_weight=sample_weight, uncertainty_weight=uncertainty_weight).items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f'{name} must be a finite number >= 0, got {weight}')
        self.spread = nn.Conv2d(classifier.in_features, classifier.in_features, map_size)
        self.average, self.label_smoothing = average, label_smoothing
        self.sample_weight, self.uncertainty_weight = sample_weight, uncertainty_weight

    def forward(self, features: Tensor, labels: Tensor, maps: Tensor, classifier: nn.Linear) -> Tensor:
        """Features (N, A), labels (N,), maps (N, A, h, w) before pooling; a scalar. In eval mode the draw is the mean.

        Raises:
            ValueError: maps of another size than ``map_size``.
        """
        if maps.shape[2:] != self.spread.kernel_size:
            raise ValueError(f'DistributionNetLoss was built with map_size={self.spread.kernel_size}, and the last map '
                             f'has the size {tuple(maps.shape[2:])}: give it that one')
        sigma = F.softplus(self.spread(maps).flatten(1))
        drawn = features + sigma * torch.randn_like(sigma) if self.training else features
        logits = F.linear(drawn, classifier.weight, classifier.bias)  # not a pass of the classifier that ISDA observes
        entropy = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return self.sample_weight * entropy + self.uncertainty_weight * missing_entropy(sigma, self.average)


def missing_entropy(sigma: Tensor, average: float) -> Tensor:
    """``mean over N of relu(gamma - H / A)``, gamma the entropy of one number of standard deviation ``average``.

    Args:
        sigma: (N, A) standard deviations of independent numbers.
        average: the wanted one.

    Returns:
        a scalar, in nats for each of the A numbers.
    """
    logarithms = sigma.clamp(min=torch.finfo(sigma.dtype).tiny).log()
    return (math.log(average) - logarithms.mean(dim=1)).relu().mean()
