"""Frozen backbone with a feature cache."""
import hashlib
from typing import Any

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

Features = tuple[Tensor, ...]


@MODELS.register_module()
class FrozenBackbone(BaseModule):
    """Backbone in eval mode without gradients, for training only a decode head.

    A pipeline without random scale, crop or colour yields the same images in every epoch, or two versions of each with
    a random flip. ``cached`` keeps the features of such images in memory instead of recomputing them. Images pass
    through the backbone one at a time, so their features do not depend on the batch.

    Args:
        backbone: config of the backbone.
        cached: maximum number of images whose features are kept, in order of arrival. The key of an image is a hash of
            its pixels, which on a GPU costs a copy to the CPU.
    """

    def __init__(self, backbone: dict[str, Any], cached: int = 0, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.backbone: nn.Module = MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.cached = cached
        self._features: dict[bytes, Features] = {}

    def _load_from_state_dict(self, *args: Any) -> None:
        self._features.clear()
        super()._load_from_state_dict(*args)

    def train(self, mode: bool = True) -> 'FrozenBackbone':
        """Set the mode, but keep the backbone in eval mode, so that batch norms use their running statistics."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> Features:
        """Map images (B, 3, H, W) to the backbone's feature maps."""
        return tuple(torch.cat(level) for level in zip(*map(self._of_image, images.split(1)),  # type: ignore[no-untyped-call]
                                                      strict=True))

    def _of_image(self, image: Tensor) -> Features:
        key = hashlib.blake2b(image.cpu().numpy().tobytes(), digest_size=16).digest() if self.cached else b''
        if key in self._features:
            return self._features[key]
        maps = self.backbone(image)
        found = (maps,) if isinstance(maps, Tensor) else tuple(maps)
        if len(self._features) < self.cached:
            self._features[key] = found
        return found

    def _apply(self, fn: Any, recurse: bool = True) -> 'FrozenBackbone':
        """Clear the cache, because device or dtype may change."""
        self._features.clear()
        result: FrozenBackbone = super()._apply(fn, recurse)
        return result

    def init_weights(self) -> None:
        """Initialise the weights and clear the cache."""
        super().init_weights()
        self._features.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Exclude the cache from copies."""
        return dict(self.__dict__, _features={})
