"""Class-balanced, reproducible choice of the labelled training images."""
import numpy as np

from isda_seg.classification.data.held_out_images import held_out_mask, shuffle_by_class


def choose_labels(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the sorted indices of ``count`` of N images, sampled with equal numbers per class.

    If ``count`` is not a multiple of the number of classes, the first classes get one more image; if a class has too
    few images, the others get more. The result is the same in all numpy versions, because RandomState's stream is
    frozen.
    """
    classes = len(np.unique(labels))
    if not classes <= count <= len(labels):
        raise ValueError(f'cannot choose {count} labels of {len(labels)} training images in {classes} classes. Set '
                         f'num_labels to a number from {classes} to {len(labels)}')
    by_class, rank = shuffle_by_class(labels, seed)
    return np.sort(by_class[np.argsort(rank, kind='stable')[:count]])


def hold_out_labels(labels: np.ndarray, chosen: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the chosen indices, stratified by class, into training and held-out labels.

    The paper (Section 5) holds out 25 % of the labels for hyperparameter selection and returns them for the final run.
    """
    if share == 0:
        return chosen, chosen[:0]
    if not 0 < share < 1:
        raise ValueError(f'held_out must be in [0, 1), got {share}')
    own = labels[chosen]
    count = round(share * len(chosen))
    mask = held_out_mask(own, count, seed) if 0 < count < len(chosen) else np.full(len(chosen), count > 0)
    bare = np.setdiff1d(own, own[~mask])
    if not mask.any() or len(bare):
        raise ValueError(f'held_out={share} of {len(chosen)} labels gives {count} held-out labels and {len(bare)} '
                         'classes without a training label. Set a larger num_labels or another held_out')
    return chosen[~mask], chosen[mask]


def split_labels(labels: np.ndarray, num_labels: int, label_seed: int = 0, held_out: float = 0.0,
                 held_out_seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training labels and of held-out labels; see ``choose_labels`` and ``hold_out_labels``."""
    return hold_out_labels(labels, choose_labels(labels, num_labels, label_seed), held_out, held_out_seed)
