"""An image classifier: backbone, global average pooling, one linear layer."""
from collections.abc import Sequence

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from isda_seg.hosts import MeanCrossEntropy

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
        data_preprocessor, init_cfg: as in ``BaseModel``.
    """

    def __init__(self, backbone: dict, num_classes: int, loss: dict | None = None, channels: int | None = None,
                 data_preprocessor: dict | nn.Module | None = None, init_cfg: dict | None = None) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.num_classes = num_classes
        self.backbone = MODELS.build(backbone)
        self.fc = nn.Linear(_channels(self.backbone) if channels is None else channels, num_classes)
        self.loss = MeanCrossEntropy() if loss is None else MODELS.build(loss)

    def forward(self, inputs: Tensor, labels: Tensor | None = None,
                mode: str = 'tensor') -> Tensor | dict[str, Tensor] | list[dict]:
        """'loss': the loss, and the accuracy of the plain logits in per cent; 'predict': one dict with the batch's
        ``logits`` (B, C) and ``labels`` (B,); 'tensor': the logits.
        """
        logits = classify(inputs, self.backbone, self.fc)
        if mode == 'loss':
            accuracy = 100 * (logits.argmax(dim=1) == labels).float().mean()
            return dict(loss=self.loss(logits, labels), accuracy=accuracy)
        return [dict(logits=logits, labels=labels)] if mode == 'predict' else logits


def classify(images: Tensor, backbone: nn.Module, fc: nn.Linear) -> Tensor:
    """Logits (B, C) of images (B, 3, H, W): the backbone's last map, averaged over its pixels, through the layer."""
    return fc(last_map(backbone(images)).mean(dim=(2, 3)))  # type: ignore[no-any-return]


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
