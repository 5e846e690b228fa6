"""Sampler of pairs of an unlabelled and a labelled image."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from isda_seg.classification.data.endless_passes import endless_passes


@DATA_SAMPLERS.register_module()
class TwoStreamSampler(Sampler[Any]):
    """Sampler of pairs (unlabelled index, labelled index) of a ``TwoStreamDataset``.

    An epoch is one shuffled pass over the unlabelled images, distributed over the ranks as in ``DefaultSampler``. The
    labelled images come from an infinite sequence of shuffled passes whose orders depend only on the seed and the pass.
    The n-th pair of the whole training, counted over epochs and ranks, has the n-th image of that sequence. Therefore
    the counts of any two labelled images differ by at most one for any number of ranks, and a resumed run continues the
    sequence.
    """

    def __init__(self, dataset: Any, seed: int | None = None) -> None:
        labelled = getattr(dataset, 'labelled_indices', None)
        if labelled is None:
            raise ValueError(f'TwoStreamSampler needs a TwoStreamDataset, got {type(dataset).__name__}')
        self.labelled = np.asarray(labelled)
        self.unlabelled = DefaultSampler(dataset, shuffle=True, seed=seed)
        self.seed = self.unlabelled.seed
        if len(dataset) < self.unlabelled.world_size:
            raise ValueError(f'cannot distribute {len(dataset)} unlabelled images over {self.unlabelled.world_size} '
                             'ranks. Use fewer ranks or more images')

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of this rank for the current epoch."""
        own = self.unlabelled
        numbers = own.epoch * own.total_size + np.arange(len(self)) * own.world_size + own.rank
        yield from zip(own, endless_passes(self.labelled, numbers, (self.seed,)).tolist(), strict=True)

    def __len__(self) -> int:
        """Return the number of pairs of this rank per epoch."""
        return len(self.unlabelled)

    def set_epoch(self, epoch: int) -> None:
        """Set the shuffle of the unlabelled images, and continue the sequence of labelled images at this epoch."""
        self.unlabelled.set_epoch(epoch)
