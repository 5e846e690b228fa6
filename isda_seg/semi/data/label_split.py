"""Which training images keep their label: as many of every class, the same ones always."""
import hashlib
import json
from pathlib import Path

import numpy as np

from isda_seg.classification.data.held_out_images import held_out_mask, shuffle_by_class
from isda_seg.runtime.durable import written_aside


def choose_labels(labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The sorted indices of ``count`` of the N images, chosen by seed, equally many of every class.

    Where ``count`` is no multiple of the classes, the first ones have one more; where a class has too few images, the
    others make up for it. RandomState's stream is frozen: every numpy chooses the same.

    Raises:
        ValueError: more labels than images, or fewer than classes.
    """
    classes = len(np.unique(labels))
    if not classes <= count <= len(labels):
        raise ValueError(f'cannot choose {count} labels of {len(labels)} training images in {classes} classes: set '
                         f'num_labels to a number between {classes} and {len(labels)}')
    by_class, rank = shuffle_by_class(labels, seed)
    return np.sort(by_class[np.argsort(rank, kind='stable')[:count]])


def hold_out_labels(labels: np.ndarray, chosen: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split the chosen indices into those to train on and those to choose hyper-parameters by, each class alike.

    The paper (Section 5) holds out 25 % of the labels, and puts them back for the final run.

    Raises:
        ValueError: a share outside 0..1 (without 1), one that holds out nothing, or a class left without a label.
    """
    if share == 0:
        return chosen, chosen[:0]
    if not 0 < share < 1:
        raise ValueError(f'the share of the labels held out must lie between 0 and 1, got {share}')
    own = labels[chosen]
    count = round(share * len(chosen))
    mask = held_out_mask(own, count, seed) if 0 < count < len(chosen) else np.full(len(chosen), count > 0)
    bare = np.setdiff1d(own, own[~mask])
    if not mask.any() or len(bare):
        raise ValueError(f'holding out {share} of {len(chosen)} labels leaves {count} to evaluate on and {len(bare)} '
                         'classes without a label to train on: choose more labels or another share')
    return chosen[~mask], chosen[mask]


def split_labels(labels: np.ndarray, num_labels: int, label_seed: int = 0, split_file: str | Path | None = None,
                 held_out: float = 0.0, held_out_seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Indices that keep their label to train on, and those held out; see ``choose_labels`` and ``hold_out_labels``.

    Args:
        split_file: where the choice is read from, or written to if it is not there; None: nowhere.
    """
    if split_file is not None and Path(split_file).exists():
        chosen = read_split(split_file, labels, num_labels, label_seed)
    else:
        chosen = choose_labels(labels, num_labels, label_seed)
        if split_file is not None:
            write_split(split_file, labels, chosen, label_seed)
    return hold_out_labels(labels, chosen, held_out, held_out_seed)


def write_split(path: str | Path, labels: np.ndarray, chosen: np.ndarray, seed: int) -> None:
    """One JSON object: the indices, the seed that chose them, and a fingerprint of all labels."""
    content = dict(fingerprint=_fingerprint(labels), seed=seed, indices=chosen.tolist())
    with written_aside(Path(path)) as aside:
        aside.write_text(json.dumps(content) + '\n')


def read_split(path: str | Path, labels: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The indices in a file that ``write_split`` wrote; a file made by hand may leave ``seed`` out.

    Raises:
        ValueError: a file of another format, of other labels, of another number or seed, or without some class.
    """
    try:
        content = json.loads(Path(path).read_text())
        indices = np.unique(np.array(content['indices'], dtype=np.int64))
        made_of, own_seed, listed = content['fingerprint'], content.get('seed', seed), len(content['indices'])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f'{path} is no split of labels ({error!r}): remove it, and it is made again') from error
    problem = None
    if made_of != _fingerprint(labels):
        problem = 'was made for other training images'
    elif (len(indices), listed) != (count, count):
        problem = f'names {len(indices)} different images in {listed} entries, num_labels is {count}'
    elif own_seed != seed:
        problem = f'was chosen with seed {own_seed}, label_seed is {seed}'
    elif indices[0] < 0 or indices[-1] >= len(labels):
        problem = f'names images from {indices[0]} to {indices[-1]}, there are 0 to {len(labels) - 1}'
    elif len(bare := np.setdiff1d(labels, labels[indices])):
        problem = f'has no label of the classes {bare.tolist()}'
    if problem:
        raise ValueError(f'{path} {problem}: remove it, and it is made again, or set split_file to another name')
    return indices


def _fingerprint(labels: np.ndarray) -> str:
    """A hash of all labels in their order."""
    return hashlib.sha256(labels.astype('<i8').tobytes()).hexdigest()
