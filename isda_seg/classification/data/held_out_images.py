"""Held-out training images for hyperparameter selection; the paper holds out 5,000 images of CIFAR."""
import numpy as np


def held_out_mask(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Sample ``count`` of N images, stratified by class; return a mask (N,) bool, True for held-out images.

    The result depends only on the arguments, because RandomState's stream is the same in all numpy versions.
    """
    if not 0 < count < len(labels):
        raise ValueError(f'cannot hold out {count} of {len(labels)} training images. Set holdout to a number from '
                         f'1 to {len(labels) - 1}')
    by_class, rank = shuffle_by_class(labels, seed)
    place = (rank + 0.5) / np.bincount(labels)[labels[by_class]]  # relative rank within the class, in 0..1
    mask = np.zeros(len(labels), dtype=bool)
    mask[by_class[np.argsort(place, kind='stable')[:count]]] = True
    return mask


def shuffle_by_class(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices (N,) of all images sorted by class and shuffled within each class, and their ranks there."""
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind='stable')]
    sizes = np.unique(labels, return_counts=True)[1]
    return by_class, np.concatenate([np.arange(size) for size in sizes])
