"""ZCA whitening of whole images, as in the Pi-model (Laine and Aila, ICLR 2017), and a dataset of whitened images."""
import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from mmengine.registry import DATASETS

from isda_seg.runtime.durable import written_aside
from isda_seg.semi.wrapped_dataset import Wrapper, labels_of

EPS = 1e-5
CHUNK = 2000  # number of images per chunk: 50 MB in float64


@dataclass(frozen=True)
class ZCA:
    """ZCA transform ``(x / 255 - mean) U diag(1 / sqrt(S + eps)) U^T`` of flattened images x.

    U diag(S) U^T is the covariance of x / 255. Reordering the D = H W 3 values only reorders mean, matrix and result.
    """
    mean: np.ndarray         # (D,) float32
    matrix: np.ndarray       # (D, D) float32
    eps: float
    fingerprint: str         # hash of the images on which it was fitted

    @classmethod
    def fit(cls, images: np.ndarray, eps: float = EPS) -> 'ZCA':
        """Fit on images (N, H, W, 3) uint8; mean, covariance (divided by N) and eigenvectors are computed in float64.

        Raises:
            ValueError: ``eps`` is not positive.
        """
        if eps <= 0:
            raise ValueError(f'ZCA needs eps > 0, got {eps}: some eigenvalues of the covariance are close to 0')
        flat = images.reshape(len(images), -1)
        mean = flat.mean(axis=0, dtype=np.float64) / 255
        covariance = np.zeros((len(mean),) * 2)
        for start in range(0, len(flat), CHUNK):
            centred = flat[start:start + CHUNK] / 255 - mean
            covariance += centred.T @ centred
        values, vectors = np.linalg.eigh(covariance / len(flat))
        matrix = (vectors / np.sqrt(values.clip(min=0) + eps)) @ vectors.T
        return cls(mean.astype(np.float32), matrix.astype(np.float32), float(eps), fingerprint(images))

    def apply(self, images: np.ndarray) -> np.ndarray:
        """Whiten images (N, H, W, 3) uint8; return float32."""
        whitened = np.empty(images.shape, np.float32)
        for start in range(0, len(images), CHUNK):
            part = images[start:start + CHUNK]
            centred = part.reshape(len(part), -1) / np.float32(255) - self.mean
            whitened[start:start + CHUNK] = (centred @ self.matrix).reshape(part.shape)
        return whitened

    def save(self, path: str | Path) -> None:
        """Write a file atomically, also if several processes write it."""
        with written_aside(Path(path)) as aside, open(aside, 'wb') as file:
            np.savez(file, mean=self.mean, matrix=self.matrix, eps=self.eps, fingerprint=self.fingerprint)

    @classmethod
    def load(cls, path: str | Path) -> 'ZCA':
        """Read a file of ``save``; the values are bitwise equal.

        Raises:
            ValueError: the file has another format.
        """
        try:
            with np.load(path) as file:
                return cls(file['mean'], file['matrix'], float(file['eps']), str(file['fingerprint']))
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f'{path} is damaged or not a ZCA file ({error}). Remove it to create it again') from error


def fitted(images: np.ndarray, eps: float = EPS, path: str | Path | None = None) -> ZCA:
    """Read a ZCA transform from a file, or fit it on images (N, H, W, 3) and write the file if it does not exist.

    Raises:
        ValueError: the file belongs to other images or another eps.
    """
    if path is None or not Path(path).exists():
        zca = ZCA.fit(images, eps)
        if path is not None:
            zca.save(path)
        return zca
    zca = ZCA.load(path)
    if (zca.fingerprint, zca.eps) != (fingerprint(images), eps):
        what = 'other images' if zca.eps == eps else f'eps = {zca.eps}, not {eps}'
        raise ValueError(f'{path} contains a ZCA fitted with {what}. Delete it to fit it again, or give the '
                         'WhitenedDataset another file=...')
    return zca


def fingerprint(images: np.ndarray) -> str:
    """Return the SHA-256 hash of shape and values."""
    return hashlib.sha256(repr(images.shape).encode() + np.ascontiguousarray(images).tobytes()).hexdigest()


# Caches of this process, kept while a dataset uses an entry; validation and test often share one.
_transforms: WeakValueDictionary[tuple[Any, ...], ZCA] = WeakValueDictionary()
_images: WeakValueDictionary[tuple[Any, ...], np.ndarray] = WeakValueDictionary()


@DATASETS.register_module()
class WhitenedDataset(Wrapper):
    """ZCA-whitened images (H, W, 3) float32 of a dataset, all in memory: 614 MB for the 50,000 images of CIFAR.

    Args:
        dataset: config or object of a dataset whose images have one size.
        fit_on: dataset from which mean and covariance are computed, usually the training set; default ``dataset``.
        file: file in which the transform is stored, so that it is fitted only once; None stores nothing.
        eps: value added to the eigenvalues inside the square root.
        pipeline: transforms of the items.

    Raises:
        ValueError: in ``full_init``, if images are not in memory or differ in size, or ``file`` belongs to other images
            or another eps.
    """

    def __init__(self, dataset: Any, fit_on: Any = None, file: str | Path | None = None, eps: float = EPS,
                 pipeline: Sequence[Any] = ()) -> None:
        super().__init__(dataset, pipeline)
        self.fit_on, self.file, self.eps = fit_on, file, eps
        self.labels = labels_of(self.dataset)
        self.images: Any = None  # (N, H, W, 3) float32 after full_init

    def full_init(self) -> None:
        """Fit or read the transform, and whiten the images."""
        if self.images is not None:
            return
        super().full_init()
        images = images_of(self.dataset)
        if self.fit_on is None:
            source = images
        else:
            source = images_of(DATASETS.build(self.fit_on) if isinstance(self.fit_on, dict) else self.fit_on)
        file = None if self.file is None else Path(self.file).absolute()
        key: tuple[Any, ...] = (fingerprint(source), self.eps, file)
        self.zca = _transforms.get(key)
        if self.zca is None:
            self.zca = _transforms[key] = fitted(source, self.eps, self.file)
        key = (fingerprint(images), *key)
        self.images = _images.get(key)
        if self.images is None:
            self.images = _images[key] = self.zca.apply(images)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return ``img`` (H, W, 3) float32 and ``gt_label`` before the pipeline."""
        self.full_init()
        return dict(img=self.images[idx].copy(), gt_label=int(self.labels[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        return [int(self.labels[idx])]


def images_of(dataset: Any) -> np.ndarray:
    """Return all images (N, H, W, 3) uint8 of a dataset.

    Raises:
        ValueError: the images are not in memory, or differ in size.
    """
    images = [dataset.get_data_info(index).get('img') for index in range(len(dataset))]
    kinds = {(image.shape, str(image.dtype)) if isinstance(image, np.ndarray) else None for image in images}
    if len(kinds) != 1 or {kind and kind[1] for kind in kinds} != {'uint8'}:
        raise ValueError(f'WhitenedDataset needs at least one image, and all as uint8 arrays of one size, such as '
                         f'those of CIFAR and SVHN; {type(dataset).__name__} has {len(images)} images of '
                         f'{len(kinds)} kinds')
    return np.stack(images)
