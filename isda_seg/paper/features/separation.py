"""Measures of class separation in feature space."""
from typing import NamedTuple

import numpy as np
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors


class Separation(NamedTuple):
    """Of labelled features; distances are Euclidean."""
    silhouette: float       # -1..1, more is farther apart: Rousseeuw's mean coefficient
    variance_ratio: float   # within classes over between them, less is farther apart
    nearest_error: float    # per cent of samples whose nearest other sample has another label


def separation(features: np.ndarray, labels: np.ndarray) -> Separation:
    """Compute the measures for features (N, A) with labels (N,).

    Raises:
        ValueError: fewer than 2 classes, as many classes as samples, features that are all equal.
    """
    classes = len(np.unique(labels))
    if not 2 <= classes < len(labels):
        raise ValueError(f'{len(labels)} features of {classes} classes cannot be told apart: at least 2 classes are '
                         'needed, and more features than classes')
    if (features == features[0]).all():
        raise ValueError(f'all {len(features)} features are equal, so classes cannot be separated')
    return Separation(float(silhouette_score(features, labels)), variance_ratio(features, labels),
                      nearest_error(features, labels))


def variance_ratio(features: np.ndarray, labels: np.ndarray) -> float:
    """tr(S_w) / tr(S_b), with the within-class covariance S_w and the between-class covariance S_b of N samples.

    ``S_w = 1/N sum_i (a_i - mean of a_i's class)(...)^T``, ``S_b = 1/N sum_c n_c (mean_c - mean)(...)^T``; their sum is
    the covariance of all samples. In float64.
    """
    features = features.astype(np.float64)
    _, place, counts = np.unique(labels, return_inverse=True, return_counts=True)
    means = np.stack([features[place == index].mean(axis=0) for index in range(len(counts))])
    within = ((features - means[place]) ** 2).sum()
    between = (counts[:, None] * (means - features.mean(axis=0)) ** 2).sum()
    return float(within / between)


def nearest_error(features: np.ndarray, labels: np.ndarray) -> float:
    """The error in per cent of the nearest neighbour among all other samples."""
    nearest = NearestNeighbors(n_neighbors=1).fit(features).kneighbors(return_distance=False)[:, 0]
    return 100 * float(np.mean(labels[nearest] != labels))
