"""Images in endless shuffled passes, any part of which can be asked for."""
from collections.abc import Sequence

import numpy as np


def endless_passes(images: np.ndarray, numbers: np.ndarray, stream: Sequence[int]) -> np.ndarray:
    """The images that have these numbers in passes one after the other, each shuffled by stream and pass alone.

    Args:
        images: (N,) int64, what a pass consists of.
        numbers: (n,) int64, counted from 0 over all passes.
        stream: seed of the passes; another stream has other orders.

    Returns:
        (n,) int64.
    """
    passes, places = np.divmod(numbers, len(images))
    orders = {number: np.random.RandomState([*stream, number]).permutation(images) for number in np.unique(passes)}
    return np.array([orders[number][place] for number, place in zip(passes, places, strict=True)], dtype=np.int64)
