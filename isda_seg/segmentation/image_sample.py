"""Datasets restricted to a random sample of their images."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmseg.datasets import CityscapesDataset
from mmseg.registry import DATASETS


class ImageSample:
    """Mixin for MMSegmentation's datasets that keeps a random sample of the images.

    Args:
        sample: number of images; None keeps all.
        sample_seed: seed of the sample.
        sample_from: indices of the images to sample from; None means all.
    """

    def __init__(self, *args: Any, sample: int | None = None, sample_seed: int = 0,
                 sample_from: Sequence[int] | None = None, **kwargs: Any) -> None:
        self.sample, self.sample_seed, self.sample_from = sample, sample_seed, sample_from
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Return the entries of the sampled images in their original order."""
        entries: list[dict[str, Any]] = super().load_data_list()  # type: ignore[misc]
        if self.sample is None:
            return entries
        pool = [entries[index] for index in self.sample_from] if self.sample_from is not None else entries
        if not 0 < self.sample <= len(pool):
            raise ValueError(f'cannot sample {self.sample} of {len(pool)} images. Set sample to a number from 1 to '
                             f'{len(pool)}')
        drawn = np.random.default_rng(self.sample_seed).permutation(len(pool))[:self.sample]
        return [pool[index] for index in sorted(drawn)]


@DATASETS.register_module()
class SampledCityscapesDataset(ImageSample, CityscapesDataset):
    """Random sample of the images of Cityscapes, or of a dataset in its layout."""
