"""Real images and synthetic ones of the same classes, a fixed share of every batch synthetic (Table 5, GANs)."""
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import Compose
from mmengine.dist import get_dist_info
from mmengine.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Dataset, Sampler

SHARE = 1 / 6  # the paper's
_REAL, _SYNTHETIC = 0, 1  # separate streams


@DATASETS.register_module()
class SyntheticMixDataset(Dataset):
    """The images of two datasets, the real ones first; ``SyntheticMixSampler`` mixes them.

    Args:
        dataset: config or object with the real images, without a pipeline.
        synthetic: the same of the synthetic ones, such as the folder that ``tools/train_generator.py --write-images``
            wrote: ``dict(type='ImageFolderDataset', data_root=...)``.
        pipeline: transforms of both.

    Raises:
        ValueError: different classes, no images of one kind, a pipeline inside, which would never run.
    """

    def __init__(self, dataset: Any, synthetic: Any, pipeline: Any = ()) -> None:
        self.datasets = [DATASETS.build(one) if isinstance(one, dict) else one for one in (dataset, synthetic)]
        real, made = self.datasets
        if any(getattr(getattr(one, 'pipeline', None), 'transforms', None) for one in self.datasets):
            raise ValueError('a dataset inside a SyntheticMixDataset has a pipeline of its own, which would never run: '
                             'move it to the SyntheticMixDataset')
        if not len(real) or not len(made):
            raise ValueError(f'real and synthetic images expected, got {len(real)} and {len(made)}')
        if real.metainfo['classes'] != made.metainfo['classes']:
            raise ValueError(f'the real images have the classes {", ".join(real.metainfo["classes"])} and the '
                             f'synthetic ones {", ".join(made.metainfo["classes"])}: give both the same')
        self.pipeline = Compose(pipeline)

    @property
    def metainfo(self) -> dict:
        """The real images'."""
        return self.datasets[_REAL].metainfo

    @property
    def counts(self) -> tuple[int, int]:
        """How many images are real, and how many synthetic."""
        real, made = map(len, self.datasets)
        return real, made

    def full_init(self) -> None:
        """Make the images ready."""
        for one in self.datasets:
            one.full_init()

    def get_data_info(self, idx: int) -> dict:
        """Image and label before the pipeline."""
        return self._of(idx, 'get_data_info')

    def get_cat_ids(self, idx: int) -> list[int]:
        """The one label of an image."""
        return self._of(idx, 'get_cat_ids')

    def __getitem__(self, idx: int) -> dict:
        return self.pipeline(self.get_data_info(idx))

    def __len__(self) -> int:
        return sum(self.counts)

    def _of(self, idx: int, method: str) -> Any:
        real = self.counts[_REAL]
        return getattr(self.datasets[_REAL], method)(idx) if idx < real else \
            getattr(self.datasets[_SYNTHETIC], method)(idx - real)


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
        passes, places = np.divmod(numbers, self.counts[kind])
        orders = {number: np.random.RandomState([self.seed, kind, number]).permutation(self.counts[kind])
                  for number in np.unique(passes)}
        return np.array([orders[number][place] for number, place in zip(passes, places, strict=True)], dtype=np.int64)
