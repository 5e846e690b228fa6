"""Which synthetic images come beside which real ones: a fixed share of every batch (Table 5, GANs)."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from isda_seg.classification.data.endless_passes import endless_passes

SHARE = 1 / 6  # the paper's
_REAL, _SYNTHETIC = 0, 1  # separate streams


@DATA_SAMPLERS.register_module()
class SyntheticMixSampler(Sampler):
    """Indices of a ``SyntheticMixDataset``: the last ``round(share * B)`` images of every batch of B are synthetic.

    An epoch has as many images as there are real ones, so a run has as many steps as its twin without synthetic images.
    Both kinds come in endless shuffled passes, whose order follows from the seed and the pass: each image is seen as
    often as any other of its kind, to within one, whatever the number of ranks, and a resumed run goes on where it was.

    Args:
        dataset, seed: given by the Runner.
        batch_size: B, that of the dataloader.
        share: of synthetic images.

    Raises:
        ValueError: another dataset, a share that leaves no image of one kind.
    """

    def __init__(self, dataset: Any, batch_size: int, share: float = SHARE, seed: int | None = None) -> None:
        counts = getattr(dataset, 'counts', None)
        if counts is None:
            raise ValueError(f'SyntheticMixSampler goes with a SyntheticMixDataset, got a {type(dataset).__name__}')
        if not 0 < round(share * batch_size) < batch_size:
            raise ValueError(f'a share of {share:g} makes {round(share * batch_size)} of {batch_size} images '
                             'synthetic, and a batch needs images of both kinds: set another share or batch_size')
        self.rank, self.world_size = get_dist_info()
        self.counts, self.batch_size, self.share, self.seed, self.epoch = counts, batch_size, share, seed or 0, 0

    def __iter__(self) -> Iterator[int]:
        places = np.arange(len(self))
        size = np.minimum(self.batch_size, len(self) - places // self.batch_size * self.batch_size)  # of its batch
        synthetic = places % self.batch_size >= size - np.round(self.share * size)
        indices = np.empty(len(self), dtype=np.int64)
        indices[~synthetic] = self._next(_REAL, int((~synthetic).sum()))
        indices[synthetic] = self.counts[_REAL] + self._next(_SYNTHETIC, int(synthetic.sum()))
        yield from indices.tolist()

    def __len__(self) -> int:
        return -(-self.counts[_REAL] // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Further passes over both kinds."""
        self.epoch = epoch

    def _next(self, kind: int, count: int) -> np.ndarray:
        """This rank's ``count`` images of a kind in this epoch, of the endless passes that all ranks share."""
        numbers = (self.epoch * count + np.arange(count)) * self.world_size + self.rank
        return endless_passes(np.arange(self.counts[kind]), numbers, (self.seed, kind))
