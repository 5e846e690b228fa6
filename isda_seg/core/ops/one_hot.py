"""One-hot labels in the logits' own layout, a chunk of pixels at a time. For a host."""
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.core.ops.checks import labelled

CHUNK = 1 << 20  # elements: small enough for a cache, large enough for several threads


class Chunk(NamedTuple):
    """Some pixels of one image."""
    image: int
    pixels: slice
    label: Tensor   # (1, p), C where the pixel is ignored
    member: Tensor  # (C, p) one-hot labels, all 0 at ignored pixels; valid until the next chunk


def one_hot_chunks(labels: Tensor, like: Tensor, num_classes: int, ignore_index: int | None,
                   together: int = 1) -> Iterator[Chunk]:
    """Walk over labels (N, P), of which ``together`` stay in one chunk; one-hot labels have the dtype of ``like``.

    One buffer serves all chunks: setting and clearing p ones costs less than making C x p numbers anew.
    """
    size = max(1, max(256, CHUNK // num_classes) // together) * together
    buffer = like.new_zeros(num_classes + 1, min(size, labels.shape[1]))  # the last row is for ignored pixels
    for image in range(len(labels)):
        for start in range(0, labels.shape[1], size):
            pixels = slice(start, min(start + size, labels.shape[1]))
            own = labels[image, pixels]
            index = torch.where(labelled(own, ignore_index), own, num_classes)[None]
            one_hot = buffer[:, :own.numel()].scatter_(0, index, 1.0)
            kept = one_hot.clone() if torch.is_grad_enabled() else one_hot  # for a second derivative
            yield Chunk(image, pixels, index, kept[:num_classes])
            one_hot.scatter_(0, index, 0.0)
