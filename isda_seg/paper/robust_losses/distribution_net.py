"""DistributionNet: models each feature as a Gaussian and also classifies a sample of it."""
import math

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.attachment.captured_inputs import weight_of


@MODELS.register_module()
class DistributionNetLoss(nn.Module):
    """Terms that DistributionNet adds to the cross-entropy of the mean (Yu et al., 2019, following its public code).

    The loss is ``sample_weight * CE(fc(a + sigma * eps)) + uncertainty_weight * mean relu(gamma - H / A)``, with one
    standard-normal sample eps, ``gamma = ln(average) + (1 + ln 2 pi) / 2`` and H the entropy of the Gaussian. The
    second term keeps sigma from shrinking to 0. The mean is the pooled feature a, which is used at test time. sigma (A
    values per image) is the softplus of a convolution over the whole last map.

    Args:
        classifier: Linear layer with A inputs, passed by ``ImageClassifier``.
        map_size: height and width of the last map, or one number for both.
        average: target geometric mean of sigma, in units of the features. The public code uses 5 for features of a
            different scale.
        sample_weight: weight of the first term; 0.1 in the public code.
        uncertainty_weight: weight of the second term; 0.001 in the public code.
        label_smoothing: label smoothing of the first term. The public code uses 0.1 for it, and for the cross-entropy
            of the mean.

    Raises:
        ValueError: ``average`` is not positive, or a weight is negative.
    """

    softmax = False

    def __init__(self, classifier: nn.Linear, map_size: int | tuple[int, int], average: float = 5.0,
                 sample_weight: float = 0.1, uncertainty_weight: float = 0.001, label_smoothing: float = 0.1) -> None:
        super().__init__()
        if not (math.isfinite(average) and average > 0):
            raise ValueError(f'average must be a positive finite number, got {average}')
        for name, weight in dict(sample_weight=sample_weight, uncertainty_weight=uncertainty_weight).items():
            if not (math.isfinite(weight) and weight >= 0):
                raise ValueError(f'{name} must be a finite number >= 0, got {weight}')
        self.spread = nn.Conv2d(classifier.in_features, classifier.in_features, map_size)
        self.average, self.label_smoothing = average, label_smoothing
        self.sample_weight, self.uncertainty_weight = sample_weight, uncertainty_weight

    def forward(self, features: Tensor, labels: Tensor, maps: Tensor, classifier: nn.Linear) -> Tensor:
        """Return the scalar loss; in eval mode the mean replaces the sample.

        Args:
            features: (N, A).
            labels: (N,).
            maps: (N, A, h, w) before pooling.
            classifier: Linear layer of the model.

        Raises:
            ValueError: the size of the maps is not ``map_size``.
        """
        if maps.shape[2:] != self.spread.kernel_size:
            raise ValueError(f'DistributionNetLoss has map_size={self.spread.kernel_size}, but the last map has '
                             f'size {tuple(maps.shape[2:])}. Set map_size to that size')
        sigma = F.softplus(self.spread(maps).flatten(1))
        sampled = features + sigma * torch.randn_like(sigma) if self.training else features
        # Bypasses the hooks of the classifier, through which ISDA observes features.
        logits = F.linear(sampled, weight_of(classifier), classifier.bias)
        entropy = F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)
        return self.sample_weight * entropy + self.uncertainty_weight * missing_entropy(sigma, self.average)


def missing_entropy(sigma: Tensor, average: float) -> Tensor:
    """Return ``mean over N of relu(gamma - H / A)``; gamma is the entropy of a Gaussian with deviation ``average``.

    Args:
        sigma: (N, A) standard deviations of independent channels.
        average: target standard deviation.

    Returns:
        scalar, in nats per channel.
    """
    logarithms = sigma.clamp(min=torch.finfo(sigma.dtype).tiny).log()
    return (math.log(average) - logarithms.mean(dim=1)).relu().mean()
