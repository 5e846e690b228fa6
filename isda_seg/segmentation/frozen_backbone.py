"""A backbone that is not trained, and whose features of an image are computed once."""
import hashlib
from typing import Any

import torch
from mmengine.model import BaseModule
from mmseg.registry import MODELS
from torch import Tensor, nn

Features = tuple[Tensor, ...]


@MODELS.register_module()
class FrozenBackbone(BaseModule):
    """A backbone in eval mode without gradients, for training a decode head alone.

    A pipeline without random scale, crop or colour repeats its images exactly (a flip makes two images of one). With
    ``cached`` the features of such images are kept in memory instead of computed in every epoch. Images pass through
    the backbone one at a time, so that their features do not depend on the batch.

    Args:
        backbone: config of the backbone.
        cached: number of images whose features are kept, in order of arrival; 0 keeps none. An image is identified by
            a hash of its pixels, which on a GPU costs a copy to the CPU.
    """

    def __init__(self, backbone: dict[str, Any], cached: int = 0, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.backbone: nn.Module = MODELS.build(backbone)
        self.backbone.requires_grad_(False)
        self.cached = cached
        self._features: dict[bytes, Features] = {}
        self.register_load_state_dict_pre_hook(lambda *_: self._features.clear())

    def train(self, mode: bool = True) -> 'FrozenBackbone':
        """The backbone stays in eval mode: its batch normalisation uses the running statistics."""
        super().train(mode)
        self.backbone.eval()
        return self

    @torch.no_grad()
    def forward(self, images: Tensor) -> Features:
        """Images (B, 3, H, W) to the backbone's feature maps."""
        return tuple(torch.cat(level) for level in zip(*map(self._of_image, images.split(1)), strict=True))

    def _of_image(self, image: Tensor) -> Features:
        if not self.cached:
            return self._compute(image)
        key = hashlib.blake2b(image.cpu().numpy().tobytes(), digest_size=16).digest()
        if key in self._features:
            return self._features[key]
        found = self._compute(image)
        if len(self._features) < self.cached:
            self._features[key] = found
        return found

    def _compute(self, image: Tensor) -> Features:
        found = self.backbone(image)
        return (found,) if isinstance(found, Tensor) else tuple(found)

    def _apply(self, fn: Any, recurse: bool = True) -> 'FrozenBackbone':
        """Features of another device or dtype are computed anew."""
        self._features.clear()
        result: FrozenBackbone = super()._apply(fn, recurse)
        return result

    def init_weights(self) -> None:
        """New weights have other features."""
        super().init_weights()
        self._features.clear()

    def __getstate__(self) -> dict[str, Any]:
        """A copy computes its own features."""
        return dict(self.__dict__, _features={})
