"""SVHN: house numbers, cropped digits, from the .mat files of its publishers."""
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS

from isda_seg.classification.data.image_dataset import ClassificationDataset

HOME = 'http://ufldl.stanford.edu/housenumbers'


@DATASETS.register_module()
class SVHNDataset(ClassificationDataset):
    """``train_32x32.mat`` (73,257 images) and ``test_32x32.mat`` (26,032); label i is digit i.

    The files call the digit 0 class 10. Reading them needs scipy, of the extra ``cls``.
    """

    def read(self, train: bool) -> tuple[list[str], list[dict]]:
        """The digits' names, and the images in the file's order."""
        path = Path(self.data_root, f'{"train" if train else "test"}_32x32.mat')
        images, labels = read_mat(path)
        return [str(digit) for digit in range(10)], [
            dict(img=image, gt_label=int(label)) for image, label in zip(images, labels, strict=True)]


def read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 32, 32, 3) in BGR and labels (N,), 10 turned into 0.

    Raises:
        ImportError: without scipy.
        FileNotFoundError, ValueError: a file that is missing, damaged or not SVHN's.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError('reading SVHN needs scipy: pip install -e ".[cls]"') from error
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist: download it from {HOME} into {path.parent}, or point '
                                f'ISDA_SEG_DATA to the folder that holds {path.parent.name}')
    try:
        content = loadmat(str(path))
        images, labels = content['X'], content['y'].reshape(-1)
    except Exception as error:  # scipy raises many kinds for a damaged file
        raise ValueError(f'{path} is truncated, damaged or not SVHN ({error}): download it again from '
                         f'{HOME}') from error
    if images.dtype != np.uint8 or images.shape != (32, 32, 3, len(labels)):
        raise ValueError(f'{path} holds {len(labels)} labels and images of shape {images.shape}, expected '
                         f'(32, 32, 3, {len(labels)}): download it again from {HOME}')
    return np.ascontiguousarray(images.transpose(3, 0, 1, 2)[..., ::-1]), np.where(labels == 10, 0, labels)
