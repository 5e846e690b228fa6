"""Measures of class separation in feature space."""
from typing import NamedTuple

import numpy as np
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors


class Separation(NamedTuple):
    """Separation measures of labelled features with Euclidean distances."""
    silhouette: float       # mean silhouette coefficient (Rousseeuw) in [-1, 1]; higher is better separated
    variance_ratio: float   # within-class over between-class variance; lower is better separated
    nearest_error: float    # leave-one-out 1-nearest-neighbour error in per cent


def separation(features: np.ndarray, labels: np.ndarray) -> Separation:
    """Compute the measures for features (N, A) with labels (N,).

    Raises:
        ValueError: fewer than 2 classes, no more samples than classes, or all features are equal.
    """
    classes = len(np.unique(labels))
    if not 2 <= classes < len(labels):
        raise ValueError('class separation needs at least 2 classes and more samples than classes, got '
                         f'{len(labels)} samples of {classes} classes')
    if (features == features[0]).all():
        raise ValueError(f'all {len(features)} features are equal, so classes cannot be separated')
    return Separation(float(silhouette_score(features, labels)), variance_ratio(features, labels),
                      nearest_error(features, labels))


def variance_ratio(features: np.ndarray, labels: np.ndarray) -> float:
    """Return tr(S_w) / tr(S_b) of the within-class and between-class covariances of N samples, in float64.

    ``S_w = 1/N sum_i (a_i - mean of a_i's class)(...)^T``, ``S_b = 1/N sum_c n_c (mean_c - mean)(...)^T``; their sum is
    the covariance of all samples.
    """
    features = features.astype(np.float64)
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.stack([features[place == index].mean(axis=0) for index in range(len(counts))])
    within = ((features - means[place]) ** 2).sum()
    between = (counts[:, None] * (means - features.mean(axis=0)) ** 2).sum()
    return float(within / between)


def nearest_error(features: np.ndarray, labels: np.ndarray) -> float:
    """Return the leave-one-out 1-nearest-neighbour error in per cent."""
    nearest = NearestNeighbors(n_neighbors=1).fit(features).kneighbors(return_distance=False)[:, 0]
    return 100 * float(np.mean(labels[nearest] != labels))
