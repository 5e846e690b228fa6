"""Which labelled image comes beside which unlabelled one."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from isda_seg.classification.data.endless_passes import endless_passes


@DATA_SAMPLERS.register_module()
class TwoStreamSampler(Sampler):
    """Pairs (unlabelled index, labelled index) of a ``TwoStreamDataset``.

    An epoch is one shuffled pass over the unlabelled images, spread over the ranks as ``DefaultSampler`` does it. The
    labelled images come in endless shuffled passes, whose order follows from the seed and the pass: the n-th pair of
    the whole training, counted over epochs and ranks, has the n-th image of these passes. So every labelled image is
    seen equally often, to within one, whatever the number of ranks, and a resumed run goes on where it was.

    Args:
        dataset, seed: given by the Runner.
        round_up: ranks have equally many pairs; some unlabelled images come twice then.

    Raises:
        ValueError: another dataset, or fewer unlabelled images than ranks.
    """

    def __init__(self, dataset: Any, seed: int | None = None, round_up: bool = True) -> None:
        labelled = getattr(dataset, 'labelled_indices', None)
        if labelled is None:
            raise ValueError(f'TwoStreamSampler goes with a TwoStreamDataset, got a {type(dataset).__name__}')
        self.labelled = np.asarray(labelled)
        self.unlabelled = DefaultSampler(dataset, shuffle=True, seed=seed, round_up=round_up)
        self.seed = self.unlabelled.seed
        if len(dataset) < self.unlabelled.world_size:
            raise ValueError(f'{len(dataset)} unlabelled images cannot be spread over {self.unlabelled.world_size} '
                             'ranks: some would get none; use fewer ranks or more images')

    def __iter__(self) -> Iterator[tuple[int, int]]:
        own = self.unlabelled
        numbers = own.epoch * own.total_size + np.arange(len(self)) * own.world_size + own.rank
        yield from zip(own, endless_passes(self.labelled, numbers, (self.seed,)).tolist(), strict=True)

    def __len__(self) -> int:
        return len(self.unlabelled)

    def set_epoch(self, epoch: int) -> None:
        """Another shuffle of the unlabelled images, further passes over the labelled ones."""
        self.unlabelled.set_epoch(epoch)
