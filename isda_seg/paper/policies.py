"""AutoAugment and RandAugment, and their image operations with strengths in 0..1.

mmcv's operations equal PIL's, which both papers used. kornia's (0.9) differ: its shear reaches 54 degrees instead of
17, its brightness adds instead of scaling, its contrast ignores the mean, its AutoAugment does not randomise signs and
its RandAugment samples without replacement.
"""
from collections.abc import Callable
from typing import Any

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

GREY = (128, 128, 128)                              # fill value for pixels from outside the image
OUTSIDE: dict[str, Any] = dict(border_value=GREY, interpolation='nearest')


def signed(strength: float) -> float:
    """Return the strength with a random sign."""
    return strength if np.random.randint(2) else -strength


def _translation(image: np.ndarray, strength: float, axis: int) -> int:
    return round(signed(150 / 331 * strength) * image.shape[axis])


OPERATIONS: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    'identity': lambda image, strength: image,
    'auto_contrast': lambda image, strength: mmcv.auto_contrast(image),
    'equalize': lambda image, strength: mmcv.imequalize(image),
    'invert': lambda image, strength: mmcv.iminvert(image),
    'rotate': lambda image, strength: mmcv.imrotate(image, signed(30 * strength), **OUTSIDE),
    'posterize': lambda image, strength: mmcv.posterize(image, round(8 - 4 * strength)),
    'solarize': lambda image, strength: mmcv.solarize(image, 256 * (1 - strength)),
    'color': lambda image, strength: mmcv.adjust_color(image, 1 + signed(0.9 * strength)),
    'contrast': lambda image, strength: mmcv.adjust_contrast(image, 1 + signed(0.9 * strength)),
    'brightness': lambda image, strength: mmcv.adjust_brightness(image, 1 + signed(0.9 * strength)),
    'sharpness': lambda image, strength: mmcv.adjust_sharpness(image, 1 + signed(0.9 * strength)),
    'shear_x': lambda image, strength: mmcv.imshear(image, signed(0.3 * strength), 'horizontal', **OUTSIDE),
    'shear_y': lambda image, strength: mmcv.imshear(image, signed(0.3 * strength), 'vertical', **OUTSIDE),
    'translate_x': lambda image, strength: mmcv.imtranslate(image, _translation(image, strength, 1), 'horizontal',
                                                            **OUTSIDE),
    'translate_y': lambda image, strength: mmcv.imtranslate(image, _translation(image, strength, 0), 'vertical',
                                                            **OUTSIDE),
}

# AutoAugment policy (arXiv:1805.09501, Table 7), found on CIFAR-10 and also used for CIFAR-100: pairs of operations,
# each with a probability and, if the operation has one, a magnitude in 0..9.
POLICY = (
    (('invert', 0.1), ('contrast', 0.2, 6)),
    (('rotate', 0.7, 2), ('translate_x', 0.3, 9)),
    (('sharpness', 0.8, 1), ('sharpness', 0.9, 3)),
    (('shear_y', 0.5, 8), ('translate_y', 0.7, 9)),
    (('auto_contrast', 0.5), ('equalize', 0.9)),
    (('shear_y', 0.2, 7), ('posterize', 0.3, 7)),
    (('color', 0.4, 3), ('brightness', 0.6, 7)),
    (('sharpness', 0.3, 9), ('brightness', 0.7, 9)),
    (('equalize', 0.6), ('equalize', 0.5)),
    (('contrast', 0.6, 7), ('sharpness', 0.6, 5)),
    (('color', 0.7, 7), ('translate_x', 0.5, 8)),
    (('equalize', 0.3), ('auto_contrast', 0.4)),
    (('translate_y', 0.4, 3), ('sharpness', 0.2, 6)),
    (('brightness', 0.9, 6), ('color', 0.2, 8)),
    (('solarize', 0.5, 2), ('invert', 0.0)),
    (('equalize', 0.2), ('auto_contrast', 0.6)),
    (('equalize', 0.2), ('equalize', 0.6)),
    (('color', 0.9, 9), ('equalize', 0.6)),
    (('auto_contrast', 0.8), ('solarize', 0.2, 8)),
    (('brightness', 0.1, 3), ('color', 0.7, 0)),
    (('solarize', 0.4, 5), ('auto_contrast', 0.9)),
    (('translate_y', 0.9, 9), ('translate_y', 0.7, 9)),
    (('auto_contrast', 0.9), ('solarize', 0.8, 3)),
    (('equalize', 0.8), ('invert', 0.1)),
    (('translate_y', 0.7, 9), ('auto_contrast', 0.9)),
)


@TRANSFORMS.register_module()
class AutoAugment(BaseTransform):
    """Apply one of the policy's 25 pairs, sampled per image; in the paper Cutout follows."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform ``img``."""
        for name, probability, *magnitude in POLICY[np.random.randint(len(POLICY))]:
            if np.random.random_sample() < probability:
                results['img'] = OPERATIONS[name](results['img'], sum(magnitude) / 9)
        return results

# Operations of RandAugment (arXiv:1909.13719).
CHOICES = ('identity', 'auto_contrast', 'equalize', 'rotate', 'solarize', 'color', 'posterize', 'contrast',
           'brightness', 'sharpness', 'shear_x', 'shear_y', 'translate_x', 'translate_y')


@TRANSFORMS.register_module()
class RandAugment(BaseTransform):
    """Apply ``n`` operations at magnitude ``m`` in 0..30, sampled per image from the paper's 14 with replacement."""

    def __init__(self, n: int, m: float) -> None:
        if n < 0 or not 0 <= m <= 30:
            raise ValueError(f'RandAugment needs n >= 0 and m in 0..30, got n={n} and m={m}')
        self.n, self.m = n, m

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Transform ``img``."""
        for choice in np.random.randint(len(CHOICES), size=self.n):
            results['img'] = OPERATIONS[CHOICES[choice]](results['img'], self.m / 30)
        return results
