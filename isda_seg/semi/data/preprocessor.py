"""Data preprocessor of SemiClassifier."""
from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import MODELS
from torch import Tensor

from isda_seg.classification.preprocessor import ClassificationPreprocessor


@MODELS.register_module()
class TwoStreamPreprocessor(ClassificationPreprocessor):
    """ClassificationPreprocessor that also processes every view of the unlabelled images.

    By default images are not normalised, because the datasets of this package have done it. For uint8 images set
    ``bgr_to_rgb``, ``mean`` and ``std``.
    """

    def __init__(self, bgr_to_rgb: bool = False, **kwargs: Any) -> None:
        super().__init__(bgr_to_rgb=bgr_to_rgb, **kwargs)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return ``inputs`` (B, 3, H, W) float32 and ``labels`` (B,) int64.

        For a training batch the result also has ``unlabelled``, a dict of ``views``, each (B, 3, H, W) float32, and
        ``index`` (B,) int64.
        """
        out: dict[str, Any] = super().forward(data, training)
        if 'unlabelled' in data:
            views, index = (data['unlabelled'][key] for key in ('views', 'index'))
            out['unlabelled'] = dict(views=[self._images(view, training) for view in views],
                                     index=torch.as_tensor(index, dtype=torch.int64, device=out['inputs'].device))
        return out

    def _images(self, images: Any, training: bool) -> Tensor:
        return ImgDataPreprocessor.forward(self, dict(inputs=images), training)['inputs']
