"""Training images with long-tailed class frequencies (Cui et al., CVPR 2019, arXiv:1901.05555)."""
import numpy as np

from isda_seg.classification.data.held_out_images import shuffle_by_class

ROUNDING = 1e-9  # so that 500 * 10 ** -1, which is below 50 in floating point, gives 50


def long_tail_counts(classes: int, imbalance: float, n_max: int) -> np.ndarray:
    """Return the profile (C,) int64, ``n_max * imbalance ** (-c / (C - 1))`` images of class c, rounded down."""
    if classes < 2 or not 1 <= imbalance < np.inf:
        raise ValueError(f'imbalance must be a finite number >= 1 and needs at least two classes, got {imbalance} '
                         f'and {classes} classes')
    counts = np.floor(n_max * imbalance ** (-np.arange(classes) / (classes - 1)) + ROUNDING).astype(np.int64)
    if counts[-1] < 1:
        raise ValueError(f'imbalance={imbalance} with n_max={n_max} leaves the last class without images. Set n_max '
                         f'to {int(np.ceil(imbalance))} or more')
    return counts


def long_tail_mask(labels: np.ndarray, classes: int, imbalance: float, n_max: int | None, seed: int) -> np.ndarray:
    """Sample ``long_tail_counts`` images of every class; return a mask (N,) bool, True for kept images.

    ``labels`` (N,) are class indices. ``n_max`` is the number of images of the first class; by default the size of the
    smallest class. With the same seed, a smaller sample is a subset of a larger one. The result is the same in all
    numpy versions, because RandomState's stream is frozen.
    """
    sizes = np.bincount(labels, minlength=classes)
    counts = long_tail_counts(classes, imbalance, int(sizes.min()) if n_max is None else n_max)
    if len(short := np.flatnonzero(sizes < counts)):
        raise ValueError(f'imbalance={imbalance} with n_max={n_max} needs {counts[short[0]]} images of class '
                         f'{short[0]}, but the training data has {sizes[short[0]]}. Set a smaller n_max')
    by_class, rank = shuffle_by_class(labels, seed)
    mask = np.zeros(len(labels), dtype=bool)
    mask[by_class] = rank < counts[labels[by_class]]
    return mask
