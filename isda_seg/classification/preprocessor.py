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

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Tensor]:
        """Return normalised ``inputs`` (B, 3, H, W) float32 and ``labels`` (B,) int64."""
        images = data['inputs'] if isinstance(data['inputs'], Tensor) else torch.stack(data['inputs'])  # of one size
        inputs = super().forward(dict(inputs=images), training)['inputs']
        return dict(inputs=inputs, labels=torch.as_tensor(data['labels'], dtype=torch.int64, device=inputs.device))
