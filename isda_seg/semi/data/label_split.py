"""Class-balanced, reproducible choice of the labelled training images."""
import hashlib
import json
from pathlib import Path

import numpy as np

from isda_seg.classification.data.held_out_images import held_out_mask, shuffle_by_class
from isda_seg.runtime.durable import written_aside


def choose_labels(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the sorted indices of ``count`` of N images, sampled with equal numbers per class.

    If ``count`` is not a multiple of the number of classes, the first classes get one more image; if a class has too
    few images, the others get more. The result is the same in all numpy versions, because RandomState's stream is
    frozen.

    Raises:
        ValueError: ``count`` is larger than the number of images or smaller than the number of classes.
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

    Raises:
        ValueError: ``share`` is outside [0, 1), no label is held out, or a class has no label left.
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


def split_labels(labels: np.ndarray, num_labels: int, label_seed: int = 0, split_file: str | Path | None = None,
                 held_out: float = 0.0, held_out_seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of training labels and of held-out labels; see ``choose_labels`` and ``hold_out_labels``.

    Args:
        labels: (N,) labels of all images.
        num_labels: number of labels to choose.
        label_seed: seed of the choice.
        split_file: file from which the choice is read, or to which it is written if the file does not exist.
        held_out: share of the chosen labels that is held out.
        held_out_seed: seed of the held-out labels.
    """
    if split_file is not None and Path(split_file).exists():
        chosen = read_split(split_file, labels, num_labels, label_seed)
    else:
        chosen = choose_labels(labels, num_labels, label_seed)
        if split_file is not None:
            write_split(split_file, labels, chosen, label_seed)
    return hold_out_labels(labels, chosen, held_out, held_out_seed)


def write_split(path: str | Path, labels: np.ndarray, chosen: np.ndarray, seed: int) -> None:
    """Write the indices, their seed and a fingerprint of all labels as JSON."""
    content = dict(fingerprint=_fingerprint(labels), seed=seed, indices=chosen.tolist())
    with written_aside(Path(path)) as aside:
        aside.write_text(json.dumps(content) + '\n')


def read_split(path: str | Path, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Read the indices from a file of ``write_split``; ``seed`` is optional in a file written by hand.

    Raises:
        ValueError: the file has another format, or belongs to other labels, another number of labels or another seed,
            or lacks a class.
    """
    try:
        content = json.loads(Path(path).read_text())
        indices = np.unique(np.array(content['indices'], dtype=np.int64))
        made_of, own_seed, listed = content['fingerprint'], content.get('seed', seed), len(content['indices'])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is not a label split ({error!r}). Remove it to create it again') from error
    problem = None
    if made_of != _fingerprint(labels):
        problem = 'was created for other training images'
    elif (len(indices), listed) != (count, count):
        problem = f'lists {len(indices)} different images in {listed} entries, but num_labels is {count}'
    elif own_seed != seed:
        problem = f'was created with seed {own_seed}, but label_seed is {seed}'
    elif indices[0] < 0 or indices[-1] >= len(labels):
        problem = f'lists images from {indices[0]} to {indices[-1]}, but the range is 0 to {len(labels) - 1}'
    elif len(bare := np.setdiff1d(labels, labels[indices])):
        problem = f'has no label for the classes {bare.tolist()}'
    if problem:
        raise ValueError(f'{path} {problem}. Remove it to create it again, or set split_file to another name')
    return indices


def _fingerprint(labels: np.ndarray) -> str:
    """Return the SHA-256 hash of all labels in order."""
    return hashlib.sha256(labels.astype('<i8').tobytes()).hexdigest()
