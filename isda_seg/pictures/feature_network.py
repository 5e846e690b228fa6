"""From images to the feature that enters the classifier, with one preprocessing for real and generated images."""
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.classification.classifier import ImageClassifier, last_map
from isda_seg.core import ClassMoments, class_moments
from isda_seg.pictures.frozen import frozen
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.plain_weights import plain_state
from isda_seg.runtime.weights import coverage

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

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float],
                 resolution: int | None = None) -> None:
        super().__init__()
        self.network, self.resolution = network, resolution
        self.register_buffer('mean', torch.as_tensor(mean)[:, None, None])
        self.register_buffer('std', torch.as_tensor(std)[:, None, None])

    def preprocess(self, images: Tensor) -> Tensor:
        """Resized (bilinear, antialiased where it shrinks) and normalised by the same numbers whatever made them."""
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
        """Mean (1, A) and full covariance (1, A, A) of the features of images (N, 3, H, W) uint8 of one class.

        In eval mode, so that they are those of the network as it is, not of what it was during training.
        """
        with frozen(self):
            features = torch.cat([self(batch / 255) for batch in images.split(BATCH)])
        return class_moments(features, torch.zeros(len(features), dtype=torch.int64), 1, covariance='full')


def of_classifier(cfg: Config, checkpoint: str, resolution: int) -> FeatureAdapter:
    """The backbone of an image classifier with the weights of a checkpoint, plain or with ISDA.

    Args:
        cfg: as ``load_config`` returns it.
        resolution: H = W of the images that the network is tested on.

    Raises:
        FileNotFoundError, ValueError: another model, a missing or damaged checkpoint, or one of another backbone.
    """
    state, _ = plain_state(_weights(check_checkpoint(checkpoint, module='backbone')))
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.get('data_preprocessor')))
    if not isinstance(model, ImageClassifier):
        raise ValueError(f'pictures are made for image classifiers, got a {type(model).__name__}')
    state = {key: value for key, value in state.items() if key.startswith('backbone.')}
    found = coverage({f'backbone.{key}': value for key, value in model.backbone.state_dict().items()}, state)
    if not found.full:
        raise ValueError(f'{checkpoint} is not of this model: {found}')
    model.load_state_dict(state, strict=False)
    mean, std = (part.flatten() / 255 for part in (model.data_preprocessor.mean, model.data_preprocessor.std))
    return FeatureAdapter(model.backbone, mean, std, resolution)


def _weights(checkpoint: dict[str, Any]) -> dict[str, Tensor]:
    return checkpoint.get('state_dict', checkpoint)
