"""Image patch around the position of a feature."""
from typing import NamedTuple

import numpy as np

from isda_seg.attachment.label_grid import pixel_of

STRIDES = 8   # side of a patch, in cells
SMALLEST = 0.3   # minimum side of a patch, as a share of the image's shorter side


class Patch(NamedTuple):
    """Patch of an image and the position of the feature in it; None for a pooled feature."""
    pixels: np.ndarray                              # (P, P, 3) uint8 RGB, smaller if the image is smaller
    cell: tuple[float, float, float, float] | None  # left, top, width, height in pixels of the patch
    pixel: tuple[int, int] | None                   # column and row in the image


def patch_of(image: np.ndarray, grid: tuple[int, ...], sample: int, align_corners: bool = False) -> Patch:
    """Return the patch around a feature of a map, or the whole image for a pooled feature.

    The patch is 8 cells wide, at least 0.3 times the image's shorter side, and is shifted inwards at the border.

    Args:
        image: (H, W, 3).
        grid: (h, w) of the feature map; () for one feature of the whole image.
        sample: index of the feature in the map, row-major.
        align_corners: how logits are resized to the labels.
    """
    if not grid:
        return Patch(image, None, None)
    size = image.shape[:2]
    stride = [large / small for small, large in zip(grid, size, strict=True)]
    side = round(max(STRIDES * max(stride), SMALLEST * min(size)))
    pixel = [pixel_of(int(i), small, large, align_corners)
             for i, small, large in zip(np.unravel_index(sample, grid), grid, size, strict=True)]
    centre = [coordinate + (0.5 if align_corners else 0) for coordinate in pixel]
    start = [min(max(round(middle - side / 2), 0), max(large - side, 0))
             for middle, large in zip(centre, size, strict=True)]
    top, left = (middle - step / 2 - first for middle, step, first in zip(centre, stride, start, strict=True))
    return Patch(image[start[0]:start[0] + side, start[1]:start[1] + side], (left, top, stride[1], stride[0]),
                 (pixel[1], pixel[0]))
