"""The sample of features depends only on the seed and the data."""

from functools import reduce

import numpy as np
import pytest
import torch

from isda_seg.paper.features.class_sample import merge_samples, sample_batch
from isda_seg.paper.features.classifier_inputs import IGNORED, Batch

CLASSES, CHANNELS, PER_CLASS = 4, 3, 5


def split(maps, size, seed=0):
    """Twelve labelled images, vectors or maps, in batches of this size; other features with another seed."""
    shape = (12, 6, 5) if maps else (12,)
    labels = torch.randint(IGNORED, CLASSES, shape, generator=torch.Generator().manual_seed(1))
    features = torch.randn(12, CHANNELS, *shape[1:], generator=torch.Generator().manual_seed(seed))
    return [Batch(features[i:i + size], labels[i:i + size], features[i:i + size], features[i:i + size], [])
            for i in range(0, 12, size)]


def sampled(batches, per_class=PER_CLASS, seed=0):
    firsts = np.cumsum([0, *(len(batch.labels) for batch in batches)])[:-1].tolist()
    samples = [sample_batch(batch, first, per_class, seed) for batch, first in zip(batches, firsts, strict=True)]
    return reduce(lambda a, b: merge_samples(a, b, per_class), samples)


@pytest.mark.parametrize('maps', [False, True])
def test_sample_is_independent_of_the_batch_size(maps):
    single_batch, = split(maps, 12)
    expected = sampled([single_batch])
    for size in (1, 5):
        for one, other in zip(sampled(split(maps, size)), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    flat, labels = single_batch.features.reshape(12, CHANNELS, -1), single_batch.labels.reshape(12, -1)
    for place, label, features in zip(expected.positions, expected.labels, expected.features, strict=True):
        assert labels[tuple(place)] == label
        assert torch.equal(flat[place[0], :, place[1]], torch.as_tensor(features))


def test_class_counts_are_limited_and_ignored_labels_excluded():
    batches = split(True, 4)
    labels = torch.cat([batch.labels for batch in batches]).flatten().numpy()
    everything = np.bincount(labels[labels != IGNORED], minlength=CLASSES)
    assert np.bincount(sampled(batches).labels).tolist() == [PER_CLASS] * CLASSES
    assert np.bincount(sampled(batches, per_class=10 ** 6).labels).tolist() == everything.tolist()


def test_positions_depend_on_the_seed_and_not_on_the_features():
    positions = sampled(split(True, 4)).positions
    np.testing.assert_array_equal(sampled(split(True, 3, seed=7)).positions, positions)
    assert not np.array_equal(sampled(split(True, 4), seed=1).positions, positions)


def test_pixels_are_sampled_uniformly():
    label = torch.zeros(1, 2, 5, dtype=torch.int64)
    batch = Batch(torch.zeros(1, 1, 2, 5), label, label, label, [])
    pixels = np.concatenate([sample_batch(batch, 0, 2, seed).positions[:, 1] for seed in range(2000)])
    counts = np.bincount(pixels, minlength=10)
    np.testing.assert_allclose(counts / 2000, 0.2, atol=5 * (0.2 * 0.8 / 2000) ** 0.5)
