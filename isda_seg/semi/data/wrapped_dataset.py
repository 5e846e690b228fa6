"""What the datasets here have in common: they serve the images of another dataset through a pipeline of their own."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from torch.utils.data import Dataset

from isda_seg.classification.data.inner_dataset import inner_dataset


class Wrapper(Dataset):
    """Around a dataset with ``get_data_info`` (``img`` (H, W, 3) and ``gt_label``), ``get_cat_ids`` and ``metainfo``.

    It has the three itself, so wrappers go around wrappers. Building one reads labels; images are made ready by
    ``full_init``, which MMEngine calls when it builds the data loader.

    Args:
        dataset: config or object, without a pipeline.
        pipeline: transforms of the items.

    Raises:
        ValueError: the wrapped dataset has a pipeline, which would never run.
    """

    def __init__(self, dataset: Any, pipeline: Sequence[Any] = ()) -> None:
        self.dataset = inner_dataset(dataset, type(self).__name__)
        self.pipeline = Compose(pipeline)

    def full_init(self) -> None:
        """Make the images ready."""
        self.dataset.full_init()

    @property
    def metainfo(self) -> dict:
        """The wrapped dataset's."""
        return self.dataset.metainfo

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.metainfo['classes'])

    def get_data_info(self, idx: int) -> dict:
        """Image and label before the pipeline."""
        return self.dataset.get_data_info(idx)

    def get_cat_ids(self, idx: int) -> list[int]:
        """The one label of an image."""
        return self.dataset.get_cat_ids(idx)

    def __getitem__(self, idx: Any) -> dict:
        return self.pipeline(self.get_data_info(idx))

    def __len__(self) -> int:
        return len(self.dataset)


def labels_of(dataset: Any) -> np.ndarray:
    """The labels (N,) int64 of all images."""
    return np.array([dataset.get_cat_ids(index)[0] for index in range(len(dataset))], dtype=np.int64)
