"""Which labelled image comes beside which unlabelled one."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler


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
        ranks, rank = self.unlabelled.world_size, self.unlabelled.rank
        before = self.unlabelled.epoch * self.unlabelled.total_size
        current, order = -1, self.labelled
        for position, unlabelled in enumerate(self.unlabelled):
            number, place = divmod(before + position * ranks + rank, len(self.labelled))
            if number != current:
                current, order = number, self._order(number)
            yield unlabelled, int(order[place])

    def __len__(self) -> int:
        return len(self.unlabelled)

    def set_epoch(self, epoch: int) -> None:
        """Another shuffle of the unlabelled images, further passes over the labelled ones."""
        self.unlabelled.set_epoch(epoch)

    def _order(self, number: int) -> np.ndarray:
        """The labelled images as the pass of this number has them."""
        return np.random.RandomState([self.seed, number]).permutation(self.labelled)
