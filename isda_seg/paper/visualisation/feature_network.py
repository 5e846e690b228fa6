"""Feature network with the same preprocessing for real and generated images."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.classification.classifier import ImageClassifier, last_map
from isda_seg.core import ClassMoments, class_moments
from isda_seg.paper.visualisation.augmentation import LARGEST_FULL
from isda_seg.runtime.isolation import frozen

BATCH = 128  # batch size for feature moments


class FeatureAdapter(nn.Module):
    """Network from RGB images (N, 3, H, W) in [0, 1] to features (N, A).

    Args:
        network: network from preprocessed images to features or maps (N, A, h, w); the last map is averaged.
        mean, std: normalisation of each RGB channel, in [0, 1].
        resolution: images are resized to this height and width; None keeps their size.
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
        """Resize (bilinear, antialiased) and normalise images."""
        if self.resolution is not None and images.shape[2:] != (self.resolution, self.resolution):
            images = F.interpolate(images, (self.resolution, self.resolution), mode='bilinear', antialias=True)
        return (images - self.mean) / self.std

    def features(self, preprocessed: Tensor) -> Tensor:
        """Compute features (N, A) of preprocessed images."""
        maps = last_map(self.network(preprocessed))
        return maps.mean(dim=(2, 3)) if maps.dim() == 4 else maps

    def forward(self, images: Tensor) -> Tensor:
        """Compute features (N, A) of images in [0, 1]."""
        return self.features(self.preprocess(images))

    @torch.no_grad()
    def moments(self, images: Tensor) -> ClassMoments:
        """Compute mean (1, A) and covariance of the features of uint8 images (N, 3, H, W) of one class, in eval mode.

        The covariance is (1, A, A), or diagonal (1, A) for more than 512 channels.
        """
        with frozen(self):
            features = torch.cat([self(batch / 255) for batch in images.split(BATCH)])
        kind = 'full' if features.shape[1] <= LARGEST_FULL else 'diagonal'
        return class_moments(features, features.new_zeros(len(features), dtype=torch.int64), 1, covariance=kind)


def classifier_features(model: nn.Module, resolution: int) -> FeatureAdapter:
    """Wrap the backbone of a trained image classifier.

    ``resolution`` is the height and width of its test images.

    Raises:
        ValueError: not an image classifier, or BGR input.
    """
    if not isinstance(model, ImageClassifier):
        raise ValueError(f'the reverse mapping needs an image classifier, got {type(model).__name__}')
    given = model.data_preprocessor
    if not given._channel_conversion:
        raise ValueError('the reverse mapping needs a network with RGB input, but data_preprocessor.bgr_to_rgb is '
                         'False')
    return FeatureAdapter(model.backbone, given.mean.flatten() / 255, given.std.flatten() / 255, resolution)
