"""CamVid: 11 classes of real street scenes, in the layout of the SegNet tutorial."""
from collections.abc import Sequence

import numpy as np
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS


@DATASETS.register_module()
class CamVidDataset(BaseSegDataset):
    """``<split>/*.png`` images and ``<split>annot/*.png`` label maps of the same names; label 11 is void.

    Void is the ignore index 11 of the label maps; ``label_map`` is not used, so heads need ``ignore_index=11``.

    Args:
        sample: number of images, drawn by ``sample_seed`` from all or from the positions ``sample_from``; None: all.
            Series of runs draw other images with every seed.
    """

    METAINFO = dict(
        classes=('sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign', 'fence', 'car', 'pedestrian',
                 'bicyclist'),
        palette=[[128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222], [128, 128, 0],
                 [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0], [0, 128, 192]])

    def __init__(self, img_suffix: str = '.png', seg_map_suffix: str = '.png', ignore_index: int = 11,
                 sample: int | None = None, sample_seed: int = 0, sample_from: Sequence[int] | None = None,
                 **kwargs: object) -> None:
        self.sample, self.sample_seed, self.sample_from = sample, sample_seed, sample_from
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, ignore_index=ignore_index, **kwargs)

    def load_data_list(self) -> list[dict]:
        """The images in order, or the sample of them."""
        entries: list[dict] = super().load_data_list()
        if self.sample is None:
            return entries
        pool = [entries[index] for index in self.sample_from] if self.sample_from is not None else entries
        if not 0 < self.sample <= len(pool):
            raise ValueError(f'sample={self.sample} images cannot be drawn from {len(pool)}')
        drawn = np.random.default_rng(self.sample_seed).permutation(len(pool))[:self.sample]
        return [pool[index] for index in sorted(drawn)]
