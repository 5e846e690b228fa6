"""ZCA whitening of whole images, as the authors of the Pi-model (Laine and Aila, ICLR 2017) do it."""
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isda_seg.runtime.durable import written_aside

EPS = 1e-5
CHUNK = 2000  # images at a time: 50 MB in float64


@dataclass(frozen=True)
class ZCA:
    """``(x / 255 - mean) U diag(1 / sqrt(S + eps)) U^T`` with the covariance U diag(S) U^T of x / 255, x flattened.

    The matrix is symmetric and follows the order of the D = H W 3 values, so that order changes nothing else.
    """
    mean: np.ndarray         # (D,) float32
    matrix: np.ndarray       # (D, D) float32
    eps: float
    fingerprint: str         # of the images it was fitted on

    @classmethod
    def fit(cls, images: np.ndarray, eps: float = EPS) -> 'ZCA':
        """From images (N, H, W, 3) uint8; mean, covariance (divided by N) and eigenvectors in float64.

        Raises:
            ValueError: eps that is not positive.
        """
        if eps <= 0:
            raise ValueError(f'ZCA needs eps > 0, got {eps}: some directions of images hardly vary at all')
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
        """Whitened images (N, H, W, 3) float32 of images (N, H, W, 3) uint8."""
        whitened = np.empty(images.shape, np.float32)
        for start in range(0, len(images), CHUNK):
            part = images[start:start + CHUNK]
            centred = part.reshape(len(part), -1) / np.float32(255) - self.mean
            whitened[start:start + CHUNK] = (centred @ self.matrix).reshape(part.shape)
        return whitened

    def save(self, path: str | Path) -> None:
        """The file is complete or not there, also where several processes write it."""
        with written_aside(Path(path)) as aside, open(aside, 'wb') as file:
            np.savez(file, mean=self.mean, matrix=self.matrix, eps=self.eps, fingerprint=self.fingerprint)

    @classmethod
    def load(cls, path: str | Path) -> 'ZCA':
        """What ``save`` wrote, to the bit.

        Raises:
            ValueError: another file.
        """
        try:
            with np.load(path) as file:
                return cls(file['mean'], file['matrix'], float(file['eps']), str(file['fingerprint']))
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f'{path} is damaged or no ZCA file ({error}): remove it, and it is made again') from error


def fitted(images: np.ndarray, eps: float = EPS, path: str | Path | None = None) -> ZCA:
    """Fitted on images (N, H, W, 3); read from the file if it is there, else written to it.

    Raises:
        ValueError: the file is of other images or of another eps.
    """
    if path is None or not Path(path).exists():
        zca = ZCA.fit(images, eps)
        if path is not None:
            zca.save(path)
        return zca
    zca = ZCA.load(path)
    if (zca.fingerprint, zca.eps) != (fingerprint(images), eps):
        what = 'other images' if zca.eps == eps else f'eps = {zca.eps}, not {eps}'
        raise ValueError(f'{path} holds a ZCA fitted with {what}: remove it, and it is made again, or set file of the '
                         'WhitenedDataset to another name')
    return zca


def fingerprint(images: np.ndarray) -> str:
    """A hash of shape and values."""
    return hashlib.sha256(repr(images.shape).encode() + np.ascontiguousarray(images).tobytes()).hexdigest()
