"""RandAugment (arXiv:1909.13719)."""
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from isda_seg.classification.operations import OPERATIONS

CHOICES = ('identity', 'auto_contrast', 'equalize', 'rotate', 'solarize', 'color', 'posterize', 'contrast',
           'brightness', 'sharpness', 'shear_x', 'shear_y', 'translate_x', 'translate_y')


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """`n` operations, drawn for every image from the paper's 14 with replacement, all at magnitude `m` of 0..30."""

    def __init__(self, n: int, m: float) -> None:
        if n < 0 or not 0 <= m <= 30:
            raise ValueError(f'RandAugment needs n of 0 or more and m in 0..30, got n={n}, m={m}')
        self.n, self.m = n, m

    def transform(self, results: dict) -> dict:
        """Replace ``img``."""
        for choice in np.random.randint(len(CHOICES), size=self.n):
            results['img'] = OPERATIONS[CHOICES[choice]](results['img'], self.m / 30)
        return results
