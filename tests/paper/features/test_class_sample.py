"""A sample depends on the seed and the data alone: not on batches, nor on the model."""

from functools import reduce

import numpy as np
import pytest
import torch

from isda_seg.paper.features.class_sample import merge_samples, sample_batch
from isda_seg.paper.features.classifier_inputs import IGNORED, Batch

CLASSES, CHANNELS, MOST = 4, 3, 5


def split(maps, size, seed=0):
    """Twelve labelled images, vectors or maps, in batches of this size; other features with another seed."""
    shape = (12, 6, 5) if maps else (12,)
    labels = torch.randint(IGNORED, CLASSES, shape, generator=torch.Generator().manual_seed(1))
    features = torch.randn(12, CHANNELS, *shape[1:], generator=torch.Generator().manual_seed(seed))
    return [Batch(features[i:i + size], labels[i:i + size], features[i:i + size], features[i:i + size], [])
            for i in range(0, 12, size)]


def sampled(batches, per_class=MOST, seed=0):
    firsts = np.cumsum([0, *(len(batch.labels) for batch in batches)])[:-1].tolist()
    samples = [sample_batch(batch, first, per_class, seed) for batch, first in zip(batches, firsts, strict=True)]
    return reduce(lambda a, b: merge_samples(a, b, per_class), samples)


@pytest.mark.parametrize('maps', [False, True])
def test_batches_do_not_matter_and_features_are_those_of_their_places(maps):
    whole, = split(maps, 12)
    expected = sampled([whole])
    for size in (1, 5):
        for one, other in zip(sampled(split(maps, size)), expected, strict=True):
            np.testing.assert_array_equal(one, other)
    flat, labels = whole.features.reshape(12, CHANNELS, -1), whole.labels.reshape(12, -1)
    for place, label, features in zip(expected.positions, expected.labels, expected.features, strict=True):
        assert labels[tuple(place)] == label
        assert torch.equal(flat[place[0], :, place[1]], torch.as_tensor(features))


def test_a_class_has_as_many_as_asked_or_all_and_nothing_ignored():
    batches = split(True, 4)
    there = torch.cat([batch.labels for batch in batches]).flatten().numpy()
    everything = np.bincount(there[there != IGNORED], minlength=CLASSES)
    assert np.bincount(sampled(batches).labels).tolist() == [MOST] * CLASSES
    assert np.bincount(sampled(batches, per_class=10 ** 6).labels).tolist() == everything.tolist()


def test_models_share_their_places_and_seeds_do_not():
    positions = sampled(split(True, 4)).positions
    np.testing.assert_array_equal(sampled(split(True, 3, seed=7)).positions, positions)
    assert not np.array_equal(sampled(split(True, 4), seed=1).positions, positions)


def test_every_pixel_is_as_likely_as_any_other():
    label = torch.zeros(1, 2, 5, dtype=torch.int64)
    batch = Batch(torch.zeros(1, 1, 2, 5), label, label, label, [])
    pixels = np.concatenate([sample_batch(batch, 0, 2, seed).positions[:, 1] for seed in range(2000)])
    counts = np.bincount(pixels, minlength=10)
    np.testing.assert_allclose(counts / 2000, 0.2, atol=5 * (0.2 * 0.8 / 2000) ** 0.5)
