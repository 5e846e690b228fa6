"""Image classifier: backbone, global average pooling, linear layer."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.attachment.base_losses import MeanCrossEntropy, parameters
from isda_seg.criterion import ISDACriterion

SIDE = 64  # side length of the blank image used to find the number of channels of a backbone


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """Image classifier that maps images (B, 3, H, W) to logits (B, C).

    The loss and the Linear layer are direct submodules, so ISDA attaches to the classifier as it does to a decode head.
    The linear layer keeps torch's default initialisation, as in the authors' code.

    Args:
        backbone: config of a module that returns a map (B, A, h, w) or a tuple of maps; the last map is pooled.
        num_classes: C.
        loss: config of the loss of logits and labels; default cross-entropy, averaged over the batch.
        channels: A; default the backbone's ``out_channels``, or the number found with a blank image.
        feature_loss: config of an additional loss of features (B, A) and labels, built with the argument
            ``classifier``; or None.

    A loss with an argument ``features``, ``maps`` (B, A, h, w) or ``classifier`` receives it by keyword.
    """

    def __init__(self, backbone: dict[str, Any], num_classes: int, loss: dict[str, Any] | None = None,
                 channels: int | None = None, data_preprocessor: dict[str, Any] | nn.Module | None = None,
                 init_cfg: dict[str, Any] | None = None,
                 feature_loss: dict[str, Any] | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.num_classes = num_classes
        self.backbone = MODELS.build(backbone)
        self.fc = nn.Linear(_channels(self.backbone) if channels is None else channels, num_classes)
        self.loss = MeanCrossEntropy() if loss is None else MODELS.build(loss)
        with torch.random.fork_rng(devices=[]):  # keeps the network's initial weights independent of this loss
            self.feature_loss = None if feature_loss is None else \
                MODELS.build(feature_loss, default_args=dict(classifier=self.fc))

    def forward(self, inputs: Tensor, labels: Tensor | None = None,
                mode: str = 'tensor') -> Tensor | dict[str, Tensor] | list[dict[str, Any]]:
        """Return losses, a prediction or logits, depending on ``mode``.

        Mode 'loss' returns the losses, and the accuracy of the logits without augmentation in per cent. Mode 'predict'
        returns one dict with the ``logits`` (B, C) and ``labels`` (B,) of the batch. Mode 'tensor' returns the logits.
        """
        maps = last_map(self.backbone(inputs))
        features = pooled(maps)
        logits = self.fc(features)
        if mode != 'loss':
            return [dict(logits=logits, labels=labels)] if mode == 'predict' else logits
        offered: dict[str, Tensor | nn.Module] = dict(features=features, maps=maps, classifier=self.fc)
        found = dict(loss=self.loss(logits, labels, **named(self.loss, offered)),
                     accuracy=100 * (logits.argmax(dim=1) == labels).float().mean())
        if self.feature_loss is not None:
            found['loss_features'] = self.feature_loss(labels=labels, **named(self.feature_loss, offered))
        return found


def named(loss: nn.Module, offered: dict[str, Tensor | nn.Module]) -> dict[str, Tensor | nn.Module]:
    """Select the keyword arguments that a loss accepts; for an ISDA loss, those of its base loss."""
    inner = loss.base if isinstance(loss, ISDACriterion) else loss
    return {name: offered[name] for name in parameters(type(inner).forward) if name in offered}


def classify(images: Tensor, backbone: nn.Module, fc: nn.Linear) -> Tensor:
    """Return the logits (B, C) of images (B, 3, H, W): last map of the backbone, average pooling, linear layer."""
    return fc(pooled(last_map(backbone(images))))


def pooled(maps: Tensor) -> Tensor:
    """Average a map (B, A, h, w) over its pixels to features (B, A)."""
    return maps.mean(dim=(2, 3))


def last_map(maps: Tensor | Sequence[Tensor]) -> Tensor:
    """Return the last of several maps, or a single map, such as that of MMSegmentation's MobileNetV2."""
    return maps if isinstance(maps, Tensor) else maps[-1]


@torch.no_grad()
def _channels(backbone: nn.Module) -> int:
    found = getattr(backbone, 'out_channels', None)
    if found is None:  # MMSegmentation's backbones
        backbone.eval()
        found = last_map(backbone(torch.zeros(1, 3, SIDE, SIDE))).shape[1]
        backbone.train()
    return found
