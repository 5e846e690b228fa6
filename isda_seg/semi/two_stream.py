"""Pairs of a labelled and an unlabelled image: dataset and sampler, and a dataset of the held-out labels."""
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Sampler

from isda_seg.classification.data.endless_passes import endless_passes
from isda_seg.semi.label_split import split_labels
from isda_seg.semi.wrapped_dataset import Wrapper, labels_of


@DATASETS.register_module()
class TwoStreamDataset(Wrapper):
    """All training images as unlabelled images, and a few as labelled images; ``TwoStreamSampler`` pairs them.

    ``dataset[unlabelled, labelled]`` takes two image indices. It returns a dict of ``inputs`` (3, H, W) and ``labels``,
    an int, of the labelled image, and ``unlabelled``, a dict of ``views``, a list of (3, H, W), and ``index``. The
    labelled image and each view pass through the pipeline separately, with independent augmentation.

    Args:
        dataset: config or object of the training images, all with labels.
        num_labels: number of labels; see ``split_labels``.
        label_seed: seed of the choice of labels.
        held_out: share of the labels that is held out; their images remain unlabelled images.
        held_out_seed: seed of the held-out labels.
        pipeline: transforms; the last one is ``PackImages``.
        views: number of views of each unlabelled image.
    """

    def __init__(self, dataset: Any, num_labels: int, label_seed: int = 0, held_out: float = 0.0,
                 held_out_seed: int = 0, pipeline: Sequence[Any] = (), views: int = 1) -> None:
        super().__init__(dataset, pipeline)
        if len(self.dataset) == 0 or views < 1:
            raise ValueError('TwoStreamDataset needs unlabelled images and views >= 1, got '
                             f'{len(self.dataset)} images and views={views}')
        self.views = views
        self.labelled_indices, _ = split_labels(labels_of(self.dataset), num_labels, label_seed, held_out,
                                                held_out_seed)

    def __getitem__(self, idx: tuple[int, int]) -> dict[str, Any]:
        """Return the labelled image and the views of the unlabelled image."""
        unlabelled, labelled = idx
        item = self.pipeline(self.get_data_info(labelled))
        views = [self.pipeline(self.get_data_info(unlabelled))['inputs'] for _ in range(self.views)]
        return dict(inputs=item['inputs'], labels=item['labels'], unlabelled=dict(views=views, index=unlabelled))


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


@DATASETS.register_module()
class HeldOutLabelsDataset(Wrapper):
    """Images whose labels a ``TwoStreamDataset`` with the same arguments holds out."""

    def __init__(self, dataset: Any, num_labels: int, held_out: float, label_seed: int = 0,
                 held_out_seed: int = 0, pipeline: Sequence[Any] = ()) -> None:
        super().__init__(dataset, pipeline)
        _, self.indices = split_labels(labels_of(self.dataset), num_labels, label_seed, held_out, held_out_seed)
        if len(self.indices) == 0:
            raise ValueError(f'held_out={held_out} holds out no labels. Set it between 0 and 1')

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return image and label before the pipeline."""
        return super().get_data_info(int(self.indices[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        return super().get_cat_ids(int(self.indices[idx]))

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.indices)
