"""Base class of datasets that wrap another dataset and have a separate pipeline."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from torch.utils.data import Dataset

from isda_seg.classification.data.inner_dataset import inner_dataset


class Wrapper(Dataset[Any]):
    """Wrapper of a dataset with ``get_data_info`` (``img`` and ``gt_label``), ``get_cat_ids`` and ``metainfo``.

    A wrapper has the same methods, so wrappers can be nested. Building one reads only labels. ``full_init``, which
    MMEngine calls when it builds the data loader, loads the images.

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
        """Load the images."""
        self.dataset.full_init()

    @property
    def metainfo(self) -> dict[str, Any]:
        """Metainfo of the wrapped dataset."""
        return self.dataset.metainfo

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return len(self.metainfo['classes'])

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return image and label before the pipeline."""
        return self.dataset.get_data_info(idx)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        return self.dataset.get_cat_ids(idx)

    def __getitem__(self, idx: Any) -> dict[str, Any]:
        """Return the output of the pipeline."""
        return self.pipeline(self.get_data_info(idx))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.dataset)


def labels_of(dataset: Any) -> np.ndarray:
    """Return the labels (N,) int64 of all images."""
    return np.array([dataset.get_cat_ids(index)[0] for index in range(len(dataset))], dtype=np.int64)
