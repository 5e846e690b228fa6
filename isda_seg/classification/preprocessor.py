"""Data preprocessor of image classifiers."""
from typing import Any

import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class ClassificationPreprocessor(ImgDataPreprocessor):
    """ImgDataPreprocessor (device, BGR to RGB, mean and std in 0..255 and RGB order) that keeps the labels."""

    def __init__(self, bgr_to_rgb: bool = True, **kwargs: Any) -> None:
        super().__init__(bgr_to_rgb=bgr_to_rgb, **kwargs)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Return normalised ``inputs`` (B, 3, H, W) float32 and ``labels`` (B,) int64.

        A batch of ``TwoStreamDataset`` also has ``unlabelled``, a dict of ``views``, each (B, 3, H, W) float32, and
        ``index`` (B,) int64.
        """
        inputs = self._images(data['inputs'], training)
        out: dict[str, Any] = dict(inputs=inputs, labels=_integers(data['labels'], inputs))
        if 'unlabelled' in data:
            views, index = (data['unlabelled'][key] for key in ('views', 'index'))
            out['unlabelled'] = dict(views=[self._images(view, training) for view in views],
                                     index=_integers(index, inputs))
        return out

    def _images(self, images: Any, training: bool) -> Tensor:
        images = images if isinstance(images, Tensor) else torch.stack(images)  # of one size, without padding
        return super().forward(dict(inputs=images), training)['inputs']


def _integers(values: Any, inputs: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=torch.int64, device=inputs.device)
