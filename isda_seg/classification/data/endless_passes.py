"""Random access to an infinite sequence of shuffled passes over a set of images."""
from collections.abc import Sequence

import numpy as np


def endless_passes(images: np.ndarray, numbers: np.ndarray, stream: Sequence[int]) -> np.ndarray:
    """Return the images at given positions of consecutive shuffled passes; each order depends on stream and pass only.

    Args:
        images: (N,) int64, images of one pass.
        numbers: (n,) int64, positions counted from 0 over all passes.
        stream: seed of the orders.

    Returns:
        (n,) int64.
    """
    passes, places = np.divmod(numbers, len(images))
    orders = {number: np.random.RandomState([*stream, number]).permutation(images) for number in np.unique(passes)}
    return np.array([orders[number][place] for number, place in zip(passes, places, strict=True)], dtype=np.int64)
