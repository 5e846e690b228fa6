"""The sum of the pixels of each class, for a device: products with one-hot labels that keep every processor busy."""
from functools import lru_cache

import torch
from torch import Tensor

SLICE = 512  # pixels in one product, at least


def label_sums(values: Tensor, index: Tensor, num_classes: int, weight: float = 1.0) -> Tensor:
    """``weight * sum of values[:, :, pixel]`` over the pixels of each class.

    An image's pixels are one long sum of few results, which a product of matrices leaves to a processor or two: so they
    are cut into slices, a product each, with results of at most a quarter of an image's values in all.

    Args:
        values: (N, D, P).
        index: (N, P) labels as ``class_index`` has them: C and C + 1 where nothing is labelled.
        num_classes: C.
        weight: of every pixel.

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
    """From ``least`` to four times that, the first that leaves no rest, as the width of an image often does."""
    return next((size for size in range(least, 4 * least) if pixels % size == 0 < pixels), least)
