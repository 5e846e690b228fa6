"""Queries are drawn by the seed alone: right ones first, one of an image, each image as likely."""

import pytest
import torch

from isda_seg.paper.visualisation.queries import QuerySample

IMAGES, CLASSES = 40, 3


def stream(seed=0):
    """Maps whose first channel numbers the pixels, labels with void 9, and logits that are right in half the pixels."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.arange(IMAGES * 6.0).reshape(IMAGES, 1, 2, 3).repeat(1, 4, 1, 1)
    labels = torch.randint(CLASSES, (IMAGES, 2, 3), generator=generator)
    guess = torch.where(torch.rand(labels.shape, generator=generator) < 0.5, labels, (labels + 1) % CLASSES)
    labels[:, 0, 0] = 9
    return features, labels, torch.nn.functional.one_hot(guess, CLASSES).movedim(3, 1).float()


def sample_of(classes, count, batch, seed=0, data=None):
    found = QuerySample(classes, CLASSES, count, seed)
    for parts in zip(*(part.split(batch) for part in data or stream()), strict=True):
        found.add(*parts)
    return {label: found.of(label) for label in classes}


def places(queries):
    return [(query.image, query.sample) for query in queries]


@pytest.mark.parametrize('batch', [1, 7, 40])
def test_queries_depend_only_on_seed_and_images(batch):
    alone, all_classes = sample_of([1], 8, batch), sample_of([0, 1, 2], 8, 5)
    assert places(alone[1]) == places(all_classes[1])
    assert places(alone[1]) != places(sample_of([1], 8, batch, seed=1)[1])


def test_queries_are_correct_predictions_from_distinct_images():
    features, labels, logits = stream()
    for label, queries in sample_of([0, 1, 2], 8, 5).items():
        assert len({query.image for query in queries}) == len(queries) == 8
        for query in queries:
            assert query.feature.tolist() == [query.image * 6 + query.sample] * 4
            assert labels[query.image].flatten()[query.sample] == query.label == query.predicted == label


def test_wrong_predictions_fill_missing_queries():
    features, labels, logits = stream()
    logits[:-1] = logits[:-1].roll(1, dims=1) + torch.eye(CLASSES)[0, :, None, None] * 2  # sees class 0 everywhere
    queries = sample_of([1], 5, 5, data=(features, labels, logits))[1]
    right = int(((labels == 1) & (logits.argmax(1) == 1)).flatten(1).any(1).sum())
    assert [query.predicted == 1 for query in queries] == [True] * right + [False] * (5 - right)


def test_images_with_the_class_are_sampled_uniformly():
    features, labels, logits = torch.zeros(IMAGES, 1), torch.zeros(IMAGES, dtype=torch.int64), torch.eye(1, 3)
    drawn = [query.image for seed in range(200)
             for query in sample_of([0], 4, IMAGES, seed, (features, labels, logits.expand(IMAGES, 3)))[0]]
    counts = torch.bincount(torch.tensor(drawn), minlength=IMAGES).double()
    expected = 200 * 4 / IMAGES
    assert ((counts - expected) ** 2 / expected).sum() < 75  # chi-squared of 39 degrees of freedom, 99.95 %
