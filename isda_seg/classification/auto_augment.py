"""AutoAugment with the policy found on CIFAR-10 (arXiv:1805.09501, Table 7), used for CIFAR-100 too."""
import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS

from isda_seg.classification.operations import OPERATIONS

# Two operations each, with probability and magnitude of 0..9; where none is given the operation has no magnitude.
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
    """One of the policy's 25 pairs, drawn for every image; the paper lets Cutout follow."""

    def transform(self, results: dict) -> dict:
        """Replace ``img``."""
        for name, probability, *magnitude in POLICY[np.random.randint(len(POLICY))]:
            if np.random.random_sample() < probability:
                results['img'] = OPERATIONS[name](results['img'], sum(magnitude) / 9)
        return results
