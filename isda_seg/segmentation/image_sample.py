"""Datasets that train on some of their images, drawn by a seed."""
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmseg.datasets import CityscapesDataset
from mmseg.registry import DATASETS


class ImageSample:
    """Mixin for MMSegmentation's datasets: keeps ``sample`` of the images, drawn by ``sample_seed``.

    Series of runs draw other images with every seed.

    Args:
        sample: number of images; None keeps all.
        sample_seed: seed of the draw.
        sample_from: positions to draw from; None is all images.

    Raises:
        ValueError: more images than there are to draw from, or none.
    """

    def __init__(self, *args: Any, sample: int | None = None, sample_seed: int = 0,
                 sample_from: Sequence[int] | None = None, **kwargs: Any) -> None:
        self.sample, self.sample_seed, self.sample_from = sample, sample_seed, sample_from
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """The images in order, or the sample of them."""
        entries: list[dict] = super().load_data_list()  # type: ignore[misc]
        if self.sample is None:
            return entries
        pool = [entries[index] for index in self.sample_from] if self.sample_from is not None else entries
        if not 0 < self.sample <= len(pool):
            raise ValueError(f'sample={self.sample} images cannot be drawn from {len(pool)}')
        drawn = np.random.default_rng(self.sample_seed).permutation(len(pool))[:self.sample]
        return [pool[index] for index in sorted(drawn)]


@DATASETS.register_module()
class SampledCityscapesDataset(ImageSample, CityscapesDataset):
    """Some images of Cityscapes, or of a dataset in its layout."""
