"""Crops of CIFAR and ImageNet, Cutout, and what leaves a pipeline."""
import math

import mmcv
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomReflectCrop(BaseTransform):
    """Pad by reflection, then crop a square of ``size``; mmcv's Pad has no border on all sides."""

    def __init__(self, size: int = 32, padding: int = 4) -> None:
        self.size, self.padding = size, padding

    def transform(self, results: dict) -> dict:
        """Replace ``img``."""
        image = mmcv.impad(results['img'], padding=self.padding, padding_mode='reflect')
        if min(image.shape[:2]) < self.size:
            raise ValueError(f'cannot crop {self.size} x {self.size} from an image of {results["img"].shape[:2]} '
                             f'pixels padded by {self.padding}')
        top, left = (np.random.randint(length - self.size + 1) for length in image.shape[:2])
        results['img'] = image[top:top + self.size, left:left + self.size]
        return results


@TRANSFORMS.register_module()
class RandomResizedCrop(BaseTransform):
    """Inception's crop: 8 to 100 % of the area at an aspect ratio of 3/4 to 4/3, resized to a square of ``size``.

    Pillow's bilinear resize, as the paper's, averages when it shrinks; OpenCV's and kornia's leave pixels out.
    """

    def __init__(self, size: int = 224, area: tuple[float, float] = (0.08, 1.0),
                 ratio: tuple[float, float] = (3 / 4, 4 / 3), attempts: int = 10) -> None:
        self.size, self.area, self.ratio, self.attempts = size, tuple(area), tuple(ratio), attempts

    def transform(self, results: dict) -> dict:
        """Replace ``img``."""
        top, left, height, width = self._window(*results['img'].shape[:2])
        results['img'] = mmcv.imresize(results['img'][top:top + height, left:left + width], (self.size, self.size),
                                       interpolation='bilinear', backend='pillow')
        return results

    def _window(self, height, width):
        """A window that fits; the largest centred one of an allowed ratio where none was drawn."""
        for _ in range(self.attempts):
            area = height * width * np.random.uniform(*self.area)
            ratio = math.exp(np.random.uniform(*(math.log(bound) for bound in self.ratio)))
            h, w = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < h <= height and 0 < w <= width:
                return np.random.randint(height - h + 1), np.random.randint(width - w + 1), h, w
        h = min(height, round(width / self.ratio[0]))
        w = min(width, round(height * self.ratio[1]))
        return (height - h) // 2, (width - w) // 2, h, w


@TRANSFORMS.register_module()
class Cutout(BaseTransform):
    """Blacken a square of ``length``, its centre uniform over the image, clipped at the borders.

    mmcv.cutout clips at two of the four borders only; kornia's RandomErasing keeps the whole square inside.
    """

    def __init__(self, length: int = 16) -> None:
        self.length = length

    def transform(self, results: dict) -> dict:
        """Replace ``img``."""
        image = results['img'].copy()
        top, left = (np.random.randint(length) - self.length // 2 for length in image.shape[:2])
        image[max(top, 0):max(top + self.length, 0), max(left, 0):max(left + self.length, 0)] = 0
        results['img'] = image
        return results


@TRANSFORMS.register_module()
class PackImages(BaseTransform):
    """``img`` (H, W, 3) and ``gt_label`` become ``inputs`` (3, H, W), still uint8 BGR, and ``labels``, an int."""

    def transform(self, results: dict) -> dict:
        """A new dict of just the two."""
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        return dict(inputs=torch.from_numpy(image), labels=results['gt_label'])
