"""The labelled images that hyper-parameters are chosen by."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS

from isda_seg.semi.data.label_split import split_labels
from isda_seg.semi.data.wrapped_dataset import Wrapper, labels_of


@DATASETS.register_module()
class HeldOutLabelsDataset(Wrapper):
    """Exactly the images whose labels a ``TwoStreamDataset`` of the same arguments holds out.

    Raises:
        ValueError: nothing is held out, or labels cannot be chosen so.
    """

    def __init__(self, dataset: Any, num_labels: int, held_out: float, label_seed: int = 0,
                 split_file: str | Path | None = None, held_out_seed: int = 0, pipeline: Sequence[Any] = ()) -> None:
        super().__init__(dataset, pipeline)
        _, self.indices = split_labels(labels_of(self.dataset), num_labels, label_seed, split_file, held_out,
                                       held_out_seed)
        if len(self.indices) == 0:
            raise ValueError(f'held_out={held_out} holds out no label to evaluate on: set it between 0 and 1')

    def get_data_info(self, idx: int) -> dict:
        """Image and label before the pipeline."""
        return super().get_data_info(int(self.indices[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """The one label of an image."""
        return super().get_cat_ids(int(self.indices[idx]))

    def __len__(self) -> int:
        return len(self.indices)
