"""Sampler with a fixed share of synthetic images per batch (Table 5, GANs)."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS
from torch.utils.data import Sampler

from isda_seg.classification.data.endless_passes import endless_passes

SHARE = 1 / 6  # value of the paper
_REAL, _SYNTHETIC = 0, 1  # separate streams


@DATA_SAMPLERS.register_module()
class SyntheticMixSampler(Sampler[Any]):
    """Sampler of a ``SyntheticMixDataset``; the last ``round(share * B)`` images of every batch of B are synthetic.

    The length of an epoch is the number of real images, so a run has as many steps as one without synthetic images.
    Real and synthetic images are taken from infinite sequences of shuffled passes, whose orders depend only on the seed
    and the pass. The counts of any two real, or any two synthetic, images therefore differ by at most one for any
    number of ranks, and a resumed run continues the sequence.

    Args:
        dataset: passed by the Runner.
        batch_size: B, the batch size of the dataloader.
        share: share of synthetic images.
        seed: passed by the Runner.

    Raises:
        ValueError: the dataset is not a ``SyntheticMixDataset``, or no image of a batch is real or synthetic.
    """

    def __init__(self, dataset: Any, batch_size: int, share: float = SHARE, seed: int | None = None) -> None:
        counts = getattr(dataset, 'counts', None)
        if counts is None:
            raise ValueError(f'SyntheticMixSampler needs a SyntheticMixDataset, got {type(dataset).__name__}')
        if not 0 < round(share * batch_size) < batch_size:
            raise ValueError(f'with share={share:g}, {round(share * batch_size)} of {batch_size} images in a batch '
                             'are synthetic, but a batch needs both kinds. Change share or batch_size')
        self.rank, self.world_size = get_dist_info()
        self.counts, self.batch_size, self.share, self.seed, self.epoch = counts, batch_size, share, seed or 0, 0

    def __iter__(self) -> Iterator[int]:
        """Yield the indices of this rank for the current epoch."""
        places = np.arange(len(self))
        # Size of the batch at each place: the last batch may be smaller.
        size = np.minimum(self.batch_size, len(self) - places // self.batch_size * self.batch_size)
        synthetic = places % self.batch_size >= size - np.round(self.share * size)
        indices = np.empty(len(self), dtype=np.int64)
        indices[~synthetic] = self._next(_REAL, int((~synthetic).sum()))
        indices[synthetic] = self.counts[_REAL] + self._next(_SYNTHETIC, int(synthetic.sum()))
        yield from indices.tolist()

    def __len__(self) -> int:
        """Return the number of images of this rank per epoch."""
        return -(-self.counts[_REAL] // self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Continue the sequences at this epoch."""
        self.epoch = epoch

    def _next(self, kind: int, count: int) -> np.ndarray:
        """Return this rank's ``count`` real or synthetic images in this epoch; all ranks share the sequence."""
        numbers = (self.epoch * count + np.arange(count)) * self.world_size + self.rank
        return endless_passes(np.arange(self.counts[kind]), numbers, (self.seed, kind))
