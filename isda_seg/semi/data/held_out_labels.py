"""Held-out labelled images for hyperparameter selection."""
from collections.abc import Sequence
from typing import Any

from mmengine.registry import DATASETS

from isda_seg.semi.data.label_split import split_labels
from isda_seg.semi.data.wrapped_dataset import Wrapper, labels_of


@DATASETS.register_module()
class HeldOutLabelsDataset(Wrapper):
    """Images whose labels a ``TwoStreamDataset`` with the same arguments holds out."""

    def __init__(self, dataset: Any, num_labels: int, held_out: float, label_seed: int = 0,
                 held_out_seed: int = 0, pipeline: Sequence[Any] = ()) -> None:
        super().__init__(dataset, pipeline)
        _, self.indices = split_labels(labels_of(self.dataset), num_labels, label_seed, held_out, held_out_seed)
        if len(self.indices) == 0:
            raise ValueError(f'held_out={held_out} holds out no labels. Set it between 0 and 1')

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return image and label before the pipeline."""
        return super().get_data_info(int(self.indices[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        return super().get_cat_ids(int(self.indices[idx]))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indices)
