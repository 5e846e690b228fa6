"""Writing demo streets to disk in the Cityscapes folder layout."""
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from isda_seg.demo_data import draw_street

RECORD = 'demo_streets.json'    # written last: a folder with this file is complete
SPLITS = ('train', 'val')
VERSION = 1                     # raise it when the same seed draws another picture


def street(seed: int, split: str, index: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return image (H, W, 3) and labels (H, W) of a scene, which depend only on the arguments."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    return draw_street(rng, height, width)


def _paths(root: Path, split: str, index: int) -> tuple[Path, Path]:
    """Return the image and the label file of one scene below ``root``, with names as in Cityscapes."""
    stem = f'demo_{index:06d}_000000'
    return (root / 'leftImg8bit' / split / 'demo' / f'{stem}_leftImg8bit.png',
            root / 'gtFine' / split / 'demo' / f'{stem}_gtFine_labelTrainIds.png')


def _is_there_already(root: Path, parameters: dict[str, int]) -> bool:
    """Return whether ``root`` holds the requested scenes; raise a FileExistsError if it holds other files."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / RECORD).read_text())
    except (OSError, ValueError):
        raise FileExistsError(f'{root} exists and holds no demo streets ({RECORD} is missing or cannot be read); '
                              'choose another folder or remove it') from None
    if found != parameters:
        raise FileExistsError(f'{root} holds demo streets made with {found}, which differ from {parameters}; '
                              'choose another folder or remove it')
    return True


def _write(path: Path, array: np.ndarray) -> None:
    if not cv2.imwrite(str(path), array, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
        raise OSError(f'could not write {path}')


def write_streets(root: str | os.PathLike[str], num_train: int, num_val: int, seed: int = 0, height: int = 128,
                  width: int = 256, progress: Callable[[int, int], None] | None = None) -> bool:
    """Write a training and a validation set of demo streets below ``root``; return False if they already exist.

    Image i of a split depends only on (seed, split, i) and the size. All files are written to a sibling folder that is
    renamed at the end, so an interrupted run leaves no seemingly complete folder. ``progress``, if given, is called
    with (done, total) after every scene. Raises a ValueError for invalid numbers, a FileExistsError if ``root`` holds
    other files, and an OSError if it is not writable.
    """
    if min(num_train, num_val) < 1 or seed < 0:
        raise ValueError(f'need at least one street in each split and a seed of 0 or more, '
                         f'got num_train={num_train}, num_val={num_val}, seed={seed}')
    root = Path(root).resolve()
    parameters = dict(version=VERSION, num_train=num_train, num_val=num_val, seed=seed, height=height, width=width)
    if _is_there_already(root, parameters):
        return False
    street(seed, 'train', 0, height, width)     # an impossible size fails here, before anything is written
    partial = root.with_name(f'{root.name}.partial-{os.getpid()}')
    names = [(split, index) for split, count in zip(SPLITS, (num_train, num_val), strict=True)
             for index in range(count)]
    try:
        shutil.rmtree(partial, ignore_errors=True)
        for path in {path.parent for split in SPLITS for path in _paths(partial, split, 0)}:
            path.mkdir(parents=True)
        for done, (split, index) in enumerate(names, 1):
            for path, array in zip(_paths(partial, split, index), street(seed, split, index, height, width),
                                   strict=True):
                _write(path, array)
            if progress is not None:
                progress(done, len(names))
        (partial / RECORD).write_text(json.dumps(parameters, indent=1) + '\n')
        if _is_there_already(root, parameters):     # someone else was faster
            return False
        partial.replace(root)
    except FileExistsError:
        raise
    except OSError as error:
        raise type(error)(f'cannot write demo streets to {root}: {error}; choose a folder you may write to') from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True
