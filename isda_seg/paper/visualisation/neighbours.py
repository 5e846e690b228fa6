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
    """Exact k nearest images of all images; ties are resolved by stream order.

    Each image is represented by its nearest sample, so one object cannot occupy all k entries. Distances are computed
    from differences, without cancellation for large features.

    Args:
        queries: (Q, A).
        query_images: (Q,) int64, index of the query's image, which is excluded from its neighbours; -1 excludes none.
        count: k, at least 1.
        apart: number of images before and after it that are also excluded, for video frames.

    Raises:
        ValueError: incompatible shapes.
    """

    def __init__(self, queries: Tensor, query_images: Tensor, count: int, apart: int = 0) -> None:
        if queries.dim() != 2 or query_images.shape != queries.shape[:1]:
            raise ValueError(f'queries (Q, A) and query_images (Q,) expected, got {tuple(queries.shape)} and '
                             f'{tuple(query_images.shape)}')
        empty = query_images.new_zeros(len(queries), 0)
        self.queries, self.query_images, self.count, self.apart, self.seen = queries, query_images, count, apart, 0
        self.found = Neighbours(queries.new_zeros(len(queries), 0), empty, empty, empty)

    @torch.no_grad()
    def add(self, features: Tensor, labels: Tensor, ignore_index: int | None = None) -> None:
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
        ignored = torch.zeros_like(labels, dtype=torch.bool) if ignore_index is None else labels == ignore_index
        distance, sample = nearest_samples(self.queries, samples, ignored)
        image = torch.arange(self.seen, self.seen + images, device=self.query_images.device).expand(len(sample), -1)
        excluded = self.query_images[:, None]
        distance = distance.masked_fill((excluded >= 0) & ((image - excluded).abs() <= self.apart), torch.inf)
        new = Neighbours(distance, image, sample, labels[torch.arange(images), sample])
        self.found = _nearest_of(self.found, new, self.count)
        self.seen += images


def nearest_samples(queries: Tensor, samples: Tensor, ignored: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distance from each query to the nearest sample of each image, and its index, both (Q, B).

    Args:
        queries: (Q, A).
        samples: (B, P, A), P samples per image.
        ignored: (B, P), True for ignored samples.
    """
    images, count, channels = samples.shape
    parts = []
    for part in queries.split(max(1, AT_ONCE // max(1, images * count))):
        distance = torch.cdist(part, samples.reshape(-1, channels), compute_mode='donot_use_mm_for_euclid_dist')
        distance = distance.reshape(len(part), images, count).masked_fill(ignored, torch.inf)
        sample = distance.argmin(dim=2)
        parts.append((distance.gather(2, sample[:, :, None])[:, :, 0], sample))
    nearest, sample = (torch.cat(columns) for columns in zip(*parts, strict=True))
    return nearest, sample


def _nearest_of(old: Neighbours, new: Neighbours, count: int) -> Neighbours:
    """Merge two lists of neighbours and keep the ``count`` nearest; ties keep the earlier entry."""
    both = Neighbours(*(torch.cat(fields, dim=1) for fields in zip(old, new, strict=True)))
    order = both.distance.argsort(dim=1, stable=True)[:, :count]
    return Neighbours(*(field.gather(1, order) for field in both))
