"""The image operations that AutoAugment and RandAugment share, each at a strength of 0..1 of its largest.

mmcv's operations are PIL's, which both papers used. kornia's (0.9) are not: its shear reaches 54 degrees instead of
17, its brightness adds instead of scaling, its contrast forgets the mean, its AutoAugment draws no signs and its
RandAugment draws without replacement.
"""
from collections.abc import Callable

import mmcv
import numpy as np

GREY = (128, 128, 128)                              # what comes in from outside the image
OUTSIDE = dict(border_value=GREY, interpolation='nearest')


def signed(strength: float) -> float:
    """The strength with a random sign."""
    return strength if np.random.randint(2) else -strength


def _translation(image, strength, axis):
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
