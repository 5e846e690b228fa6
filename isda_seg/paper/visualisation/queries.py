"""Seeded sample of query features of some classes, in one pass over a stream."""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Query(NamedTuple):
    """Query feature and its position."""
    feature: Tensor  # (A,)
    label: int
    predicted: int
    image: int       # index of the image in the stream
    sample: int      # index of the sample (row-major pixel) in the image


class QuerySample:
    """Sample up to ``count`` features per class from distinct images, preferring correct predictions.

    Images that contain the class are equally likely. The sample depends only on the seed and the order of the images,
    not on the batch size or on the selected classes.

    Args:
        labels: selected classes, in 0..C-1.
        num_classes: C.
        count: maximum number of queries per class, at least 1.
        seed: random seed.
    """

    def __init__(self, labels: Sequence[int], num_classes: int, count: int, seed: int) -> None:
        self.num_classes, self.count, self.seen = num_classes, count, 0
        self.generator = torch.Generator().manual_seed(seed)
        self._kept: dict[int, list[tuple[bool, float, Query]]] = {label: [] for label in labels}

    def add(self, features: Tensor, labels: Tensor, logits: Tensor) -> None:
        """Choose among the next images: features (B, A) or maps (B, A, h, w), labels (B, ...), logits (B, C, ...)."""
        predictions = logits.argmax(dim=1).reshape(len(labels), -1)
        for image, image_labels, predicted in zip(features, labels.reshape(len(labels), -1), predictions, strict=True):
            rank, choice = torch.rand(2, self.num_classes, generator=self.generator).tolist()
            for label, kept in self._kept.items():
                correct = ((image_labels == label) & (predicted == label)).nonzero().flatten()
                samples = correct if len(correct) else (image_labels == label).nonzero().flatten()
                if len(samples):
                    sample = int(samples[int(choice[label] * len(samples))])
                    query = Query(image.reshape(len(image), -1)[:, sample].clone(), label, int(predicted[sample]),
                                  self.seen, sample)
                    kept.append((not len(correct), rank[label], query))
                    kept.sort(key=lambda entry: entry[:2])
                    del kept[self.count:]
            self.seen += 1

    def of(self, label: int) -> list[Query]:
        """Return the queries of one class in random order; fewer than ``count`` if fewer images contain the class."""
        return [query for _, _, query in self._kept[label]]
