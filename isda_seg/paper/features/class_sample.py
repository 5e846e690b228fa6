"""Seeded sample of labelled features per class, independent of model and batch size."""
from typing import NamedTuple

import numpy as np

from isda_seg.paper.features.classifier_inputs import IGNORED, Batch


class Sample(NamedTuple):
    """Sample of labelled features, sorted by class and key."""
    keys: np.ndarray       # (N,) random numbers; the lowest keys of each class are kept
    labels: np.ndarray     # (N,) int64
    positions: np.ndarray  # (N, 2) int64: index of the image in the data, index on the feature grid
    features: np.ndarray   # (N, A) float32


def sample_batch(batch: Batch, first: int, per_class: int, seed: int) -> Sample:
    """Sample up to ``per_class`` features of each class from a batch.

    Random keys depend only on the seed and the index of the image. Merging the samples of all batches therefore gives a
    uniform sample, equal for all models with the same feature resolution. ``first`` is the index of the batch's first
    image in the data.
    """
    labels = batch.labels.reshape(len(batch.labels), -1).cpu().numpy()
    keys = np.stack([np.random.default_rng((seed, first + image)).random(labels.shape[1])
                     for image in range(len(labels))])
    images, pixels = np.nonzero(labels != IGNORED)
    kept = _lowest(keys[images, pixels], labels[images, pixels], per_class)
    images, pixels = images[kept], pixels[kept]
    features = batch.features.reshape(*batch.features.shape[:2], -1)[images, :, pixels].float().cpu().numpy()
    return Sample(keys[images, pixels], labels[images, pixels], np.stack([first + images, pixels], axis=1), features)


def merge_samples(a: Sample, b: Sample, per_class: int) -> Sample:
    """Merge two samples, keeping the lowest keys of each class; associative and commutative."""
    both = Sample(*(np.concatenate(parts) for parts in zip(a, b, strict=True)))
    kept = _lowest(both.keys, both.labels, per_class)
    return Sample(*(part[kept] for part in both))


def _lowest(keys: np.ndarray, labels: np.ndarray, per_class: int) -> np.ndarray:
    """Return the indices of the lowest keys of each class, sorted by class and key."""
    order = np.lexsort((keys, labels))
    ordered = labels[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[rank < per_class]
