"""Handwritten digits of scikit-learn: 8 x 8 grey images, no download needed."""
from typing import Any

import numpy as np
from mmengine.registry import DATASETS

from isda_seg.classification.data.held_out_images import held_out_mask
from isda_seg.classification.data.image_dataset import ClassificationDataset
from isda_seg.compat import require_scikit_learn

TEST_IMAGES = 360  # a fifth


@DATASETS.register_module()
class DigitsDataset(ClassificationDataset):
    """Digits dataset of scikit-learn with 1,437 training and 360 test images; label i is digit i.

    scikit-learn does not define a test set; it is a fifth of each class, sampled with a fixed seed. The grey values 0
    to 16 are scaled to 0 to 255 and repeated in three channels.
    """

    def __init__(self, data_root: str = '', **kwargs: Any) -> None:
        super().__init__(data_root=data_root, **kwargs)

    def read(self, train: bool) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the class names, and the images in scikit-learn's order."""
        require_scikit_learn()
        from sklearn.datasets import load_digits
        data = load_digits()
        chosen = held_out_mask(data.target, TEST_IMAGES, seed=0) != train
        images = np.round(data.images[chosen] * (255 / 16)).astype(np.uint8)
        return [str(digit) for digit in range(10)], [
            dict(img=np.repeat(image[..., None], 3, axis=2), gt_label=int(label))
            for image, label in zip(images, data.target[chosen], strict=True)]
