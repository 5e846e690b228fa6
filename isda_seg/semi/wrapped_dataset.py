"""Base class of datasets that wrap another dataset and have a separate pipeline."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.registry import DATASETS
from torch.utils.data import Dataset


class Wrapper(Dataset[Any]):
    """Wrapper of a dataset with ``get_data_info`` (``img`` and ``gt_label``), ``get_cat_ids`` and ``metainfo``.

    A wrapper has the same methods, so wrappers can be nested. Building one reads only labels. ``full_init``, which
    MMEngine calls when it builds the data loader, loads the images. The wrapped ``dataset``, a config or an object, has
    no pipeline; ``pipeline`` are the transforms of the items.
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


def inner_dataset(dataset: Any, outer: str) -> Any:
    """Build a dataset for a wrapper of the name ``outer``; a pipeline in it, which would never run, is a ValueError."""
    built = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
    if getattr(getattr(built, 'pipeline', None), 'transforms', None):
        raise ValueError(f'the {type(built).__name__} inside a {outer} has a pipeline, which would never run. Move it '
                         f'to the {outer}')
    return built


def labels_of(dataset: Any) -> np.ndarray:
    """Return the labels (N,) int64 of all images."""
    return np.array([dataset.get_cat_ids(index)[0] for index in range(len(dataset))], dtype=np.int64)
