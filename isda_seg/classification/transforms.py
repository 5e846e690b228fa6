"""Image transforms: crops for CIFAR and ImageNet, Cutout, packing."""
import math
from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomReflectCrop(BaseTransform):
    """Pad all sides by reflection, then crop a random square of ``size``; mmcv's Pad pads only two sides."""

    def __init__(self, size: int = 32, padding: int = 4) -> None:
        self.size, self.padding = size, padding

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform ``img``."""
        image = mmcv.impad(results['img'], padding=self.padding, padding_mode='reflect')
        if min(image.shape[:2]) < self.size:
            raise ValueError(f'cannot crop {self.size} x {self.size} from an image of {results["img"].shape[:2]} '
                             f'pixels with padding {self.padding}. Set a smaller size')
        top, left = (np.random.randint(length - self.size + 1) for length in image.shape[:2])
        results['img'] = image[top:top + self.size, left:left + self.size]
        return results


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Inception crop: 8 to 100 % of the area, aspect ratio 3/4 to 4/3, resized to a square of ``size``.

    Pillow's bilinear resize, as in the paper, is antialiased; OpenCV's and kornia's are not.
    """

    def __init__(self, size: int = 224, area: tuple[float, float] = (0.08, 1.0),
                 ratio: tuple[float, float] = (3 / 4, 4 / 3)) -> None:
        self.size, self.area, self.ratio = size, tuple(area), tuple(ratio)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform ``img``."""
        top, left, height, width = self._window(*results['img'].shape[:2])
        results['img'] = mmcv.imresize(results['img'][top:top + height, left:left + width], (self.size, self.size),
                                       interpolation='bilinear', backend='pillow')
        return results

    def _window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Sample a window that fits; after 10 misses, return the largest centred one with a valid ratio."""
        for _ in range(10):
            area = height * width * np.random.uniform(*self.area)  # type: ignore[call-overload]
            low, high = (math.log(bound) for bound in self.ratio)
            ratio = math.exp(np.random.uniform(low, high))
            h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < h <= height and 0 < w <= width:
                return np.random.randint(height - h + 1), np.random.randint(width - w + 1), h, w
        h = min(height, round(width / self.ratio[0]))
        w = min(width, round(height * self.ratio[1]))
        return (height - h) // 2, (width - w) // 2, h, w


@TRANSFORMS.register_module()
class Cutout(BaseTransform):
    """Set a square of ``length`` with a uniformly sampled centre to black, clipped at the borders.

    mmcv.cutout clips at only two of the four borders; kornia's RandomErasing keeps the whole square inside the image.
    """

    def __init__(self, length: int = 16) -> None:
        self.length = length

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform ``img``."""
        image = results['img'].copy()
        top, left = (np.random.randint(length) - self.length // 2 for length in image.shape[:2])
        image[max(top, 0):max(top + self.length, 0), max(left, 0):max(left + self.length, 0)] = 0
        results['img'] = image
        return results


@TRANSFORMS.register_module()
class PackImages(BaseTransform):
    """Convert ``img`` (H, W, 3) and ``gt_label`` to ``inputs`` (3, H, W) uint8 BGR and ``labels``, an int."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return a new dict with only the two entries."""
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(image), labels=results['gt_label'])
