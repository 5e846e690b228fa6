"""Random access to an infinite sequence of shuffled passes over a set of images."""
from collections.abc import Sequence

import numpy as np


def endless_passes(images: np.ndarray, numbers: np.ndarray, stream: Sequence[int]) -> np.ndarray:
    """Return the images (n,) int64 at given positions of consecutive shuffled passes over N images.

    ``numbers`` (n,) int64 counts positions from 0 over all passes. The order of a pass depends only on the seed
    ``stream`` and the pass.
    """
    passes, places = np.divmod(numbers, len(images))
    orders = {number: np.random.RandomState([*stream, number]).permutation(images) for number in np.unique(passes)}
    return np.array([orders[number][place] for number, place in zip(passes, places, strict=True)], dtype=np.int64)
