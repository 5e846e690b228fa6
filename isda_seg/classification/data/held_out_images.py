"""Training images held out to choose hyper-parameters by; the paper holds out 5,000 of CIFAR's."""
import numpy as np


def held_out_mask(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose ``count`` of the N images by seed, each class in proportion to its size; (N,) bool, True where held out.

    The choice depends on nothing but the arguments: RandomState's stream is frozen, every numpy holds out the same.

    Raises:
        ValueError: no image would be held out, or none would be left to train on.
    """
    if not 0 < count < len(labels):
        raise ValueError(f'cannot hold out {count} of {len(labels)} training images: set holdout to a number between '
                         f'1 and {len(labels) - 1}')
    by_class, rank = shuffle_by_class(labels, seed)
    place = (rank + 0.5) / np.bincount(labels)[labels[by_class]]  # in 0..1, within the class
    mask = np.zeros(len(labels), dtype=bool)
    mask[by_class[np.argsort(place, kind='stable')[:count]]] = True
    return mask


def shuffle_by_class(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The indices (N,) of all images, class after class and each class shuffled by seed, and their ranks in the class.

    Args:
        labels: (N,) non-negative integers.
    """
    shuffled = np.random.RandomState(seed).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind='stable')]
    sizes = np.unique(labels, return_counts=True)[1]
    return by_class, np.concatenate([np.arange(size) for size in sizes])
