"""Cutout: one black square."""
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Cutout(BaseTransform):
    """Blacken a square of `length`, its centre uniform over the image, clipped at the borders.

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
