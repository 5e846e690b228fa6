"""An image classifier: backbone, global average pooling, one linear layer."""
from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.attachment.base_losses import MeanCrossEntropy, parameters
from isda_seg.criterion import ISDACriterion

SIDE = 64  # of the blank image that tells how many channels a backbone has


@MODELS.register_module()
class ImageClassifier(BaseModel):
    """Images (B, 3, H, W) to logits (B, C).

    It directly holds the loss and one Linear with ``num_classes`` outputs, so ISDA attaches to it as to a decode head.
    The linear layer keeps torch's own initialisation, as in the authors' code.

    Args:
        backbone: config of a module that returns a map (B, A, h, w), or a tuple of maps of which the last is pooled.
        num_classes: C.
        loss: config of the loss, called with logits and labels; default cross-entropy, mean over the batch.
        channels: A; default the backbone's ``out_channels``, or else what it makes of a blank image.
        feature_loss: config of a loss that is added, called with features (B, A) and labels and built with the
            ``classifier``; None: there is none.
        data_preprocessor, init_cfg: as in ``BaseModel``.

    A loss that names ``features``, ``maps`` (B, A, h, w) or ``classifier`` among its arguments gets them by keyword.
    """

    def __init__(self, backbone: dict, num_classes: int, loss: dict | None = None, channels: int | None = None,
                 data_preprocessor: dict | nn.Module | None = None, init_cfg: dict | None = None,
                 feature_loss: dict | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.num_classes = num_classes
        self.backbone = MODELS.build(backbone)
        self.fc = nn.Linear(_channels(self.backbone) if channels is None else channels, num_classes)
        self.loss = MeanCrossEntropy() if loss is None else MODELS.build(loss)
        with torch.random.fork_rng(devices=[]):  # its weights leave the network's as they are drawn without it
            self.feature_loss = None if feature_loss is None else \
                MODELS.build(feature_loss, default_args=dict(classifier=self.fc))

    def forward(self, inputs: Tensor, labels: Tensor | None = None,
                mode: str = 'tensor') -> Tensor | dict[str, Tensor] | list[dict]:
        """'loss': the losses, and the accuracy of the plain logits in per cent; 'predict': one dict with the batch's
        ``logits`` (B, C) and ``labels`` (B,); 'tensor': the logits.
        """
        maps = last_map(self.backbone(inputs))
        features = pooled(maps)
        logits = self.fc(features)
        if mode != 'loss':
            return [dict(logits=logits, labels=labels)] if mode == 'predict' else logits
        offered = dict(features=features, maps=maps, classifier=self.fc)
        found = dict(loss=self.loss(logits, labels, **named(self.loss, offered)),
                     accuracy=100 * (logits.argmax(dim=1) == labels).float().mean())
        if self.feature_loss is not None:
            found['loss_features'] = self.feature_loss(labels=labels, **named(self.feature_loss, offered))
        return found


def named(loss: nn.Module, offered: dict[str, Tensor | nn.Module]) -> dict[str, Tensor | nn.Module]:
    """What a loss names of that which is offered to it; an ISDA loss hands it on to its base."""
    inner = loss.base if isinstance(loss, ISDACriterion) else loss
    return {name: offered[name] for name in parameters(type(inner).forward) if name in offered}


def classify(images: Tensor, backbone: nn.Module, fc: nn.Linear) -> Tensor:
    """Logits (B, C) of images (B, 3, H, W): the backbone's last map, averaged over its pixels, through the layer."""
    return fc(pooled(last_map(backbone(images))))  # type: ignore[no-any-return]


def pooled(maps: Tensor) -> Tensor:
    """Features (B, A): a map (B, A, h, w) averaged over its pixels."""
    return maps.mean(dim=(2, 3))


def last_map(maps: Tensor | Sequence[Tensor]) -> Tensor:
    """The last of several maps, or the one: MMSegmentation's MobileNetV2 returns no tuple of one."""
    return maps if isinstance(maps, Tensor) else maps[-1]


@torch.no_grad()
def _channels(backbone: nn.Module) -> int:
    found = getattr(backbone, 'out_channels', None)
    if found is None:  # MMSegmentation's backbones
        backbone.eval()
        found = last_map(backbone(torch.zeros(1, 3, SIDE, SIDE))).shape[1]
        backbone.train()
    return found
