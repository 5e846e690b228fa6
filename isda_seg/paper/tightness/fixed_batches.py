"""The same training images at every call, without random numbers of the run."""
from collections.abc import Iterator
from typing import Any

import numpy as np

from isda_seg.runtime.reproducible import PositionSeededDataset


def fixed_batches(loader: Any, images: int, seed: int) -> Iterator[Any]:
    """Collated batches of randomly chosen training images, through the training pipeline.

    Args:
        loader: a training loader; of a ``TwoStreamDataset`` labelled images stand beside the unlabelled ones in turn.
        images: how many; whole batches of the loader's size are taken, at least one.
        seed: chooses the images. How they are augmented is up to ``own_random_numbers``.
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
