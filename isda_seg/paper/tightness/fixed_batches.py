"""Fixed training batches, independent of the random state of the run."""
from collections.abc import Iterator
from typing import Any

import numpy as np

from isda_seg.runtime.reproducible import PositionSeededDataset


def fixed_batches(loader: Any, images: int, seed: int) -> Iterator[Any]:
    """Yield collated batches of randomly selected training images, processed by the training pipeline.

    Args:
        loader: training dataloader; a ``TwoStreamDataset`` pairs unlabelled images with labelled ones in turn.
        images: number of images, rounded down to whole batches, at least one batch.
        seed: selects the images. The caller seeds their augmentation with ``own_random_numbers``.
    """
    dataset = loader.dataset.dataset if isinstance(loader.dataset, PositionSeededDataset) else loader.dataset
    size = min(getattr(loader.batch_sampler, 'batch_size', loader.batch_size), len(dataset))
    number = max(1, min(images, len(dataset)) // size) * size
    chosen = np.random.default_rng(seed).permutation(len(dataset))[:number].tolist()
    labelled = getattr(dataset, 'labelled_indices', None)
    if labelled is not None:
        chosen = [(index, int(labelled[place % len(labelled)])) for place, index in enumerate(chosen)]
    for first in range(0, number, size):
        yield loader.collate_fn([dataset[index] for index in chosen[first:first + size]])
