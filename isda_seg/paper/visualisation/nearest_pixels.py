"""Fig. 14: nearest training images in pixel space, to detect memorised images."""
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.paper.visualisation.neighbours import NearestImages


def nearest_in_pixels(queries: Tensor, batches: Iterable[dict], count: int) -> Tensor:
    """Return the nearest images of a stream for each of Q images, sorted: (Q, count, 3, H, W) in [0, 1], RGB.

    Distances are Euclidean over pixels in [0, 1] at the size of the stream's images. One pass; memory holds only the
    current nearest images.

    Args:
        queries: (Q, 3, h, w) in [0, 1], RGB; resized to the size of the stream's images.
        batches: dicts of ``inputs`` (B, 3, H, W) uint8, BGR, and ``labels`` (B,), as from ``split_loader``.
        count: number of nearest images per query.

    Raises:
        ValueError: ``count`` < 1, or more than the stream has images.
    """
    nearest: NearestImages | None = None
    held: dict[int, Tensor] = {}
    for batch in batches:
        images = batch['inputs'].flip(1)
        if nearest is None:
            resized = F.interpolate(queries.cpu(), images.shape[2:], mode='bilinear', antialias=True)
            nearest = NearestImages(resized.flatten(1), torch.full((len(queries),), -1), count)
        first = nearest.seen
        nearest.observe(images.flatten(1) / 255, batch['labels'])
        needed = set(nearest.found.image.flatten().tolist())
        held = {number: image for number, image in held.items() if number in needed}
        held.update({number: images[number - first] for number in needed if number >= first})
    if nearest is None or nearest.seen < count:
        raise ValueError(f'requested {count} nearest images, but the training data has only '
                         f'{0 if nearest is None else nearest.seen}. Set a smaller --neighbours.')
    return torch.stack([torch.stack([held[number] for number in row]) for row in nearest.found.image.tolist()]) / 255
