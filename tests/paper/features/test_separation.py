"""Measures of class separation equal their definitions."""

import numpy as np
import pytest

pytest.importorskip('sklearn')
from isda_seg.paper.features.separation import nearest_error, separation, variance_ratio  # noqa: E402


@pytest.fixture
def labelled():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 40) * 2  # class 1 has no sample
    return (rng.standard_normal((40, 4)) + labels[:, None]).astype(np.float32), labels


def test_variance_ratio_equals_loops_and_decomposes_the_covariance(labelled):
    features, labels = labelled[0].astype(np.float64), labelled[1]
    mean = sum(features) / len(features)
    within = between = 0.0
    for label in set(labels.tolist()):
        own = [row for row, other in zip(features, labels, strict=True) if other == label]
        own_mean = sum(own) / len(own)
        within += sum(float((row - own_mean) @ (row - own_mean)) for row in own) / len(features)
        between += len(own) * float((own_mean - mean) @ (own_mean - mean)) / len(features)
    assert variance_ratio(*labelled) == pytest.approx(within / between, rel=1e-6)
    assert within + between == pytest.approx(np.trace(np.cov(features.T, bias=True)), rel=1e-12)


def test_nearest_error_equals_brute_force(labelled):
    features, labels = labelled
    wrong = 0
    for i, row in enumerate(features):
        distances = [float(((row - other) ** 2).sum()) if i != j else np.inf for j, other in enumerate(features)]
        wrong += labels[int(np.argmin(distances))] != labels[i]
    assert 0 < wrong < len(labels)
    assert nearest_error(features, labels) == pytest.approx(100 * wrong / len(labels))
    assert nearest_error(features[[0, 0, 1, 1]], np.array([0, 1, 0, 1])) == 100  # not its own neighbour


def test_classes_at_single_points_are_fully_separated():
    features = np.repeat(np.eye(3), 4, axis=0)
    assert separation(features, np.repeat([0, 1, 2], 4)) == (1, 0, 0)


def test_inseparable_input_is_rejected(labelled):
    with pytest.raises(ValueError, match='more samples than classes, got 40 samples of 1 classes'):
        separation(labelled[0], np.zeros(40))
    with pytest.raises(ValueError, match='got 3 samples of 3 classes'):
        separation(np.eye(3), np.arange(3))
    with pytest.raises(ValueError, match='all 40 features are equal'):
        separation(np.ones((40, 4)), labelled[1])
