"""SVHN: cropped digits of house numbers, from the published .mat files."""
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS

from isda_seg.classification.data.image_dataset import ClassificationDataset

HOME = 'http://ufldl.stanford.edu/housenumbers'


@DATASETS.register_module()
class SVHNDataset(ClassificationDataset):
    """SVHN from ``train_32x32.mat`` (73,257 images) and ``test_32x32.mat`` (26,032 images); label i is digit i.

    The files label the digit 0 as class 10, which is converted to 0. Reading needs scipy, part of the extra ``cls``.
    """

    def read(self, train: bool) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the class names, and the images in the order of the file."""
        path = Path(self.data_root, f'{"train" if train else "test"}_32x32.mat')
        images, labels = read_mat(path)
        return [str(digit) for digit in range(10)], [
            dict(img=image, gt_label=int(label)) for image, label in zip(images, labels, strict=True)]


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read images (N, 32, 32, 3) in BGR and labels (N,), with 10 converted to 0."""
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError('reading SVHN needs scipy. Install it with pip install -e ".[cls]"') from error
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist. Download it from {HOME} into {path.parent}, or set '
                                f'ISDA_SEG_DATA to the folder that holds {path.parent.name}')
    try:
        content = loadmat(str(path))
        images, labels = content['X'], content['y'].reshape(-1)
    except Exception as error:  # scipy raises various exceptions for a damaged file
        raise ValueError(f'{path} is truncated, damaged or not an SVHN file ({error}). Download it again from '
                         f'{HOME}') from error
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        raise ValueError(f'{path} holds {len(labels)} labels and images of shape {images.shape}, expected '
                         f'(32, 32, 3, {len(labels)}). Download it again from {HOME}')
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)[..., ::-1]), np.where(labels == 10, 0, labels)
