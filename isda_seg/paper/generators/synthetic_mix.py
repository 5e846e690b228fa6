"""Mix synthetic images into every batch: the dataset and its sampler (Table 5, GANs)."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Dataset, Sampler

from isda_seg.classification.data.endless_passes import endless_passes
from isda_seg.semi.wrapped_dataset import inner_dataset

SHARE = 1 / 6  # value of the paper
_REAL, _SYNTHETIC = 0, 1  # separate streams


@DATASETS.register_module()
class SyntheticMixDataset(Dataset[Any]):
    """Concatenation of real and synthetic images; ``SyntheticMixSampler`` mixes them.

    Args:
        dataset: config or object of the real images, without a pipeline.
        synthetic: config or object of the synthetic images, without a pipeline; for the output of
            ``tools/train_generator.py --write-images`` it is ``dict(type='ImageFolderDataset', data_root=...)``.
        pipeline: transforms of both.

    Raises:
        ValueError: the classes differ, a dataset is empty, or a dataset has a pipeline, which would never run.
    """

    def __init__(self, dataset: Any, synthetic: Any, pipeline: Any = ()) -> None:
        self.datasets = [inner_dataset(part, type(self).__name__) for part in (dataset, synthetic)]
        real, generated = self.datasets
        if not all(self.counts):
            raise ValueError('SyntheticMixDataset needs real and synthetic images, got {} and {}'.format(*self.counts))
        if real.metainfo['classes'] != generated.metainfo['classes']:
            raise ValueError(f'the real images have the classes {", ".join(real.metainfo["classes"])}, but the '
                             f'synthetic ones have {", ".join(generated.metainfo["classes"])}. Use the same classes')
        self.pipeline = Compose(pipeline)

    @property
    def metainfo(self) -> dict[str, Any]:
        """Metainfo of the real images."""
        return self.datasets[0].metainfo

    @property
    def counts(self) -> tuple[int, int]:
        """Number of real and of synthetic images."""
        real, synthetic = map(len, self.datasets)
        return real, synthetic

    def full_init(self) -> None:
        """Load both datasets."""
        for dataset in self.datasets:
            dataset.full_init()

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return image and label before the pipeline."""
        dataset, index = self._locate(idx)
        return dataset.get_data_info(index)

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        dataset, index = self._locate(idx)
        return dataset.get_cat_ids(index)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return the output of the pipeline."""
        return self.pipeline(self.get_data_info(idx))

    def __len__(self) -> int:
        """Return the number of images."""
        return sum(self.counts)

    def _locate(self, idx: int) -> tuple[Any, int]:
        """Return the dataset of an image and its index there."""
        real, synthetic = self.datasets
        return (real, idx) if idx < len(real) else (synthetic, idx - len(real))


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
        positions = np.arange(len(self))
        # Size of the batch at each position: the last batch may be smaller.
        size = np.minimum(self.batch_size, len(self) - positions // self.batch_size * self.batch_size)
        synthetic = positions % self.batch_size >= size - np.round(self.share * size)
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
        positions = (self.epoch * count + np.arange(count)) * self.world_size + self.rank
        return endless_passes(np.arange(self.counts[kind]), positions, (self.seed, kind))
