"""Sum over the pixels of each class on an accelerator, as batched products with one-hot labels."""
from functools import lru_cache

import torch
from torch import Tensor

SLICE = 512  # lower bound of the pixels in one product


def label_sums(values: Tensor, index: Tensor, num_classes: int, weight: float = 1.0) -> Tensor:
    """Return ``weight`` times the sum of ``values[:, :, pixel]`` over the pixels of each class.

    One long product with a small result uses few GPU multiprocessors. The pixels are therefore split into slices with
    one product each (split-K). The partial results take at most a quarter of the memory of the values.

    Args:
        values: (N, D, P).
        index: (N, P) labels from ``class_index``; C and C + 1 are not labelled.
        num_classes: C.
        weight: factor of every pixel.

    Returns:
        (C, D).
    """
    images, _, pixels = values.shape
    one_hot = values.new_zeros(images, num_classes + 2, pixels).scatter_(1, index[:, None], weight)[:, :num_classes]
    size = slice_size(pixels, max(SLICE, 4 * num_classes))
    whole = pixels // size * size
    if not (images and whole):
        return (one_hot @ values.mT).sum(dim=0)
    members, owns = (torch.unflatten(tensor[..., :whole], 2, (-1, size)).transpose(1, 2)  # (N, slices, rows, size)
                     for tensor in (one_hot, values))
    every = torch.bmm(members[0], owns[0].mT)
    for member, own in zip(members[1:], owns[1:], strict=True):
        every = torch.baddbmm(every, member, own.mT)
    total = every.sum(dim=0)
    return total if whole == pixels else total + (one_hot[..., whole:] @ values[..., whole:].mT).sum(dim=0)


@lru_cache(maxsize=64)
def slice_size(pixels: int, least: int) -> int:
    """Return the first slice size in [least, 4 * least) that divides the number of pixels, or ``least``."""
    return next((size for size in range(least, 4 * least) if pixels % size == 0 < pixels), least)
