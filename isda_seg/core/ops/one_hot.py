"""One-hot labels in the layout of the logits, one chunk of pixels at a time. CPU only."""
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.core.ops.checks import labelled

CHUNK = 1 << 20  # elements of a chunk: fits a cache, and is large enough for several threads


class Chunk(NamedTuple):
    """A chunk of pixels of one image with their labels."""
    image: int
    pixels: slice
    label: Tensor   # (1, p), C at ignored pixels
    member: Tensor  # (C, p) one-hot labels, all 0 at ignored pixels; overwritten by the next chunk


def one_hot_chunks(labels: Tensor, like: Tensor, num_classes: int, ignore_index: int | None) -> Iterator[Chunk]:
    """Iterate over labels (N, P) in chunks of pixels, with one-hot labels like ``like``.

    All chunks share one buffer: setting and clearing p ones is cheaper than allocating C x p zeros.
    """
    size = max(256, CHUNK // num_classes)
    buffer = like.new_zeros(num_classes + 1, min(size, labels.shape[1]))  # the last row takes ignored pixels
    for image in range(len(labels)):
        for start in range(0, labels.shape[1], size):
            pixels = slice(start, min(start + size, labels.shape[1]))
            label = labels[image, pixels]
            index = torch.where(labelled(label, ignore_index), label, num_classes)[None]
            one_hot = buffer[:, :label.numel()].scatter_(0, index, 1.0)
            kept = one_hot.clone() if torch.is_grad_enabled() else one_hot  # for a second derivative
            yield Chunk(image, pixels, index, kept[:num_classes])
            one_hot.scatter_(0, index, 0.0)
