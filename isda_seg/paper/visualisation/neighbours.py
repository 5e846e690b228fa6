"""Exact nearest-image search in one pass over a stream, with O(Q k) memory."""
from typing import NamedTuple

import torch
from torch import Tensor

AT_ONCE = 1 << 24  # maximum number of distances in memory


class Neighbours(NamedTuple):
    """Nearest images of Q queries in ascending order of distance, each with its nearest sample."""
    distance: Tensor  # (Q, k) Euclidean, in units of the features; inf for excluded images
    image: Tensor     # (Q, k) int64, index of the image in the stream
    sample: Tensor    # (Q, k) int64, index of the sample (row-major pixel) in the image
    label: Tensor     # (Q, k) int64, label of the sample


class NearestImages:
    """Exact k nearest images of all observed images; ties are resolved by stream order.

    Each image is represented by its nearest sample, so one object cannot occupy all k entries. Distances are computed
    from differences, without cancellation for large features.

    Args:
        queries: (Q, A).
        own: (Q,) int64, index of the query's image, which is excluded from its neighbours; -1 excludes none.
        count: k, at least 1.
        apart: number of images before and after it that are also excluded, for video frames.

    Raises:
        ValueError: incompatible shapes.
    """

    def __init__(self, queries: Tensor, own: Tensor, count: int, apart: int = 0) -> None:
        if queries.dim() != 2 or own.shape != queries.shape[:1]:
            raise ValueError(f'queries (Q, A) and own (Q,) expected, got {tuple(queries.shape)} and {tuple(own.shape)}')
        none = own.new_zeros(len(queries), 0)
        self.queries, self.own, self.count, self.apart, self.seen = queries, own, count, apart, 0
        self.found = Neighbours(queries.new_zeros(len(queries), 0), none, none, none)

    @torch.no_grad()
    def observe(self, features: Tensor, labels: Tensor, ignore_index: int | None = None) -> None:
        """Fold the next images of the stream.

        Args:
            features: (B, A), or maps (B, A, h, w).
            labels: (B,) or (B, h, w).
            ignore_index: samples with this label are ignored.

        Raises:
            ValueError: wrong number of channels, or labels of another shape.
        """
        if features.dim() < 2 or features.shape[1] != self.queries.shape[1] or \
                labels.shape != features.shape[:1] + features.shape[2:]:
            raise ValueError(f'features (B, {self.queries.shape[1]}, ...) and labels (B, ...) expected, got '
                             f'{tuple(features.shape)} and {tuple(labels.shape)}')
        images, channels = features.shape[:2]
        samples = features.reshape(images, channels, -1).movedim(1, 2).to(self.queries.dtype)
        labels = labels.reshape(images, -1)
        left_out = torch.zeros_like(labels, dtype=torch.bool) if ignore_index is None else labels == ignore_index
        distance, sample = nearest_samples(self.queries, samples, left_out)
        number = torch.arange(self.seen, self.seen + images, device=self.own.device).expand(len(self.queries), -1)
        own = self.own[:, None]
        distance = distance.masked_fill((own >= 0) & ((number - own).abs() <= self.apart), torch.inf)
        new = Neighbours(distance, number, sample, labels[torch.arange(images), sample])
        self.found = _nearest_of(self.found, new, self.count)
        self.seen += images


def nearest_samples(queries: Tensor, samples: Tensor, left_out: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance from each query to the nearest sample of each image, and its index, both (Q, B).

    Args:
        queries: (Q, A).
        samples: (B, P, A), P samples per image.
        left_out: (B, P), True for ignored samples.
    """
    images, each, channels = samples.shape
    parts = []
    for some in queries.split(max(1, AT_ONCE // max(1, images * each))):
        distance = torch.cdist(some, samples.reshape(-1, channels), compute_mode='donot_use_mm_for_euclid_dist')
        distance = distance.reshape(len(some), images, each).masked_fill(left_out, torch.inf)
        sample = distance.argmin(dim=2)
        parts.append((distance.gather(2, sample[:, :, None])[:, :, 0], sample))
    nearest, sample = (torch.cat(part) for part in zip(*parts, strict=True))
    return nearest, sample


def _nearest_of(old: Neighbours, new: Neighbours, count: int) -> Neighbours:
    """Merge two lists of neighbours and keep the ``count`` nearest; ties keep the earlier entry."""
    both = Neighbours(*(torch.cat(fields, dim=1) for fields in zip(old, new, strict=True)))
    order = both.distance.argsort(dim=1, stable=True)[:, :count]
    return Neighbours(*(field.gather(1, order) for field in both))
