"""From images to the feature that enters the classifier, with one preprocessing for real and generated images."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.classification.classifier import ImageClassifier, last_map
from isda_seg.core import ClassMoments, class_moments
from isda_seg.paper.pictures.augmentation import LARGEST_FULL
from isda_seg.runtime.isolation import frozen

BATCH = 128  # images at a time, of those whose features are measured


class FeatureAdapter(nn.Module):
    """Images (N, 3, H, W) in [0, 1], RGB, to features (N, A).

    Args:
        network: from preprocessed images to features, or to maps (N, A, h, w), the last of which is averaged.
        mean, std: of each channel, in [0, 1] and RGB order.
        resolution: H = W that images are resized to; None keeps their size.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, mean: Sequence[float] | Tensor, std: Sequence[float] | Tensor,
                 resolution: int | None = None) -> None:
        super().__init__()
        self.network, self.resolution = network, resolution
        self.register_buffer('mean', torch.as_tensor(mean)[:, None, None])
        self.register_buffer('std', torch.as_tensor(std)[:, None, None])

    def preprocess(self, images: Tensor) -> Tensor:
        """Resized (bilinear, antialiased where it shrinks) and normalised, by the same numbers whatever made them."""
        size = (self.resolution, self.resolution)
        if self.resolution is not None and images.shape[2:] != size:
            images = F.interpolate(images, size, mode='bilinear', antialias=True)
        return (images - self.mean) / self.std

    def features(self, preprocessed: Tensor) -> Tensor:
        """Features (N, A) of what ``preprocess`` returned."""
        maps = last_map(self.network(preprocessed))
        return maps.mean(dim=(2, 3)) if maps.dim() == 4 else maps

    def forward(self, images: Tensor) -> Tensor:
        return self.features(self.preprocess(images))

    @torch.no_grad()
    def moments(self, images: Tensor) -> ClassMoments:
        """Mean (1, A) and covariance of the features of images (N, 3, H, W) uint8 of one class.

        In eval mode: they are those of the network as it is, not of what it was during training. The covariance is
        (1, A, A), above 512 channels the diagonal (1, A).
        """
        with frozen(self):
            features = torch.cat([self(batch / 255) for batch in images.split(BATCH)])
        kind = 'full' if features.shape[1] <= LARGEST_FULL else 'diagonal'
        return class_moments(features, features.new_zeros(len(features), dtype=torch.int64), 1, covariance=kind)


def of_classifier(model: nn.Module, resolution: int) -> FeatureAdapter:
    """The backbone of a trained image classifier, which it shares.

    Args:
        model: as ``open_checkpoint`` returns it.
        resolution: H = W of the images that it is tested on.

    Raises:
        ValueError: another model, or one that takes BGR.
    """
    if not isinstance(model, ImageClassifier):
        raise ValueError(f'the reverse mapping is for image classifiers, got a {type(model).__name__}')
    given = model.data_preprocessor
    if not given._channel_conversion:
        raise ValueError('the reverse mapping is for networks that take RGB, and data_preprocessor.bgr_to_rgb of this '
                         'one is False')
    return FeatureAdapter(model.backbone, given.mean.flatten() / 255, given.std.flatten() / 255, resolution)
