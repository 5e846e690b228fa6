"""Base class of the image datasets: splits, held-out images, long tails, validated labels."""
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from isda_seg.classification.data.held_out_images import held_out_mask
from isda_seg.classification.data.long_tail import long_tail_mask

SPLITS = ('train', 'train_rest', 'held_out', 'test')


class ClassificationDataset(BaseDataset):
    """Images with one label each.

    A pipeline receives ``img`` (H, W, 3) uint8, in mmcv's BGR order, and ``gt_label``, an int in 0..C-1.
    ``metainfo['classes']`` holds the C class names after loading.

    Args:
        data_root: folder of the data as distributed by its publishers.
        split: 'train', 'train_rest' (train without the held-out images), 'held_out' (only those) or 'test'.
        holdout: number of held-out training images; see ``held_out_mask``.
        holdout_seed: seed of the held-out images.
        imbalance: make the training images long-tailed: the first class keeps n_max images, the last one
            n_max / imbalance; see ``long_tail_mask``. None keeps all images. Images are held out after this step,
            stratified by class, so they are long-tailed too; evaluate on them by the mean error over classes. The test
            images are unchanged.
        n_max: number of images of the first class; None is the size of the smallest class.
        imbalance_seed: seed of the long-tailed subset.
        kwargs: as in ``BaseDataset``.
    """

    def __init__(self, data_root: str, split: str = 'train', holdout: int = 5000, holdout_seed: int = 0,
                 imbalance: float | None = None, n_max: int | None = None, imbalance_seed: int = 0,
                 **kwargs: Any) -> None:
        if split not in SPLITS:
            raise ValueError(f'unknown split {split!r}. Choose from {SPLITS}')
        if imbalance is None and n_max is not None:
            raise ValueError(f'n_max={n_max} has no effect without imbalance. Set both or neither')
        self.imbalance, self.n_max, self.imbalance_seed = imbalance, n_max, imbalance_seed
        self.split, self.holdout, self.holdout_seed = split, holdout, holdout_seed
        super().__init__(data_root=data_root, **kwargs)

    def read(self, train: bool) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the class names, and a dict with ``gt_label`` for every image of the training or test set."""
        raise NotImplementedError

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return the entries of the split."""
        classes, entries = self.read(train=self.split != 'test')
        labels = np.array([entry['gt_label'] for entry in entries])
        outside = np.flatnonzero((labels < 0) | (labels >= len(classes)))
        if len(outside):
            raise ValueError(f'{len(outside)} labels of the {self.split} images in {self.data_root} are outside 0..'
                             f'{len(classes) - 1}; the first is {labels[outside[0]]} of image {outside[0]}')
        self._metainfo['classes'] = tuple(classes)
        if self.split == 'test':
            return entries
        if self.imbalance is not None:
            kept = np.flatnonzero(long_tail_mask(labels, len(classes), self.imbalance, self.n_max, self.imbalance_seed))
            entries, labels = [entries[index] for index in kept], labels[kept]
        if self.split == 'train':
            return entries
        wanted = held_out_mask(labels, self.holdout, self.holdout_seed) == (self.split == 'held_out')
        return [entries[index] for index in np.flatnonzero(wanted)]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image in a list, without reading the image, for MMEngine's ClassBalancedDataset."""
        return [BaseDataset.get_data_info(self, idx)['gt_label']]
