"""Rows of a table selected on the feature grid and upsampled to the logits' size, one band of image rows at a time."""
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.checks import class_index
from isda_seg.core.ops.one_hot import Chunk

MODES = ('linear', 'bilinear', 'trilinear')  # of one, two and three sides


def chosen_rows(rows: Tensor, index: Tensor) -> Tensor:
    """Return ``rows[label]`` (N, C, ...) for labels (N, ...) from ``class_index``, 0 where not labelled."""
    return F.pad(rows, (0, 0, 0, 2))[index].movedim(-1, 1)


def resize(values: Tensor, size: tuple[int, ...], align_corners: bool) -> Tensor:
    """Resize (B, C, h, w) to (B, C, *size) bilinearly, as heads of MMSegmentation resize their logits.

    One side is resized linearly and three sides trilinearly. A volume of a single slice gives the bits of an image.

    Raises:
        RuntimeError: more than three sides.
    """
    if tuple(values.shape[2:]) == tuple(size):
        return values
    if len(size) > 2 and values.shape[2] == size[0] == 1:
        return resize(values[:, :, 0], size[1:], align_corners)[:, :, None]
    if len(size) > 3:
        raise RuntimeError(f'the labels have {len(size)} spatial dimensions of sizes {tuple(size)}, the features '
                           f'{tuple(values.shape[2:])}, and PyTorch interpolates at most 3 dimensions: pass labels of '
                           'the size of the features')
    return F.interpolate(values, size=size, mode=MODES[len(size) - 1], align_corners=align_corners)


@lru_cache(maxsize=64)
def interpolation(small: int, large: int, align_corners: bool, dtype: torch.dtype) -> Tensor:
    """Return the cached matrix (large, small) of linear interpolation along one side of a map. Do not modify it."""
    identity = torch.eye(small, dtype=dtype)[None]
    return F.interpolate(identity, size=large, mode='linear', align_corners=align_corners)[0].t().contiguous()


class Grid(NamedTuple):
    """Labels on the feature grid, and how a head upsamples its logits from that grid."""
    labels: Tensor       # (N, h, w) int64, with any number of sides
    align_corners: bool

    def upsample(self, values: Tensor, size: tuple[int, ...]) -> Tensor:
        """Resize values (N, C, h, w) to (N, C, *size)."""
        return resize(values, size, self.align_corners)


class Upsampled:
    """Upsampled ``rows[label]`` of a grid, computed chunk by chunk, with the accumulated gradient of the rows.

    Bilinear upsampling is a product with one interpolation matrix for each side of the map. A volume is treated as
    D * H image rows, which depend on a few of the d * h grid rows, and points as the rows of an image of one column.

    Args:
        grid: labels of N images on the feature grid, with one to three sides.
        size: (H, W) of the result.
        rows: (C, C).
        ignore_index: grid points with this label contribute 0.
    """

    def __init__(self, grid: Grid, size: tuple[int, ...], rows: Tensor, ignore_index: int | None) -> None:
        images, *small = grid.labels.shape
        small, sides = ([1] * (3 - len(each)) + each if len(each) > 1 else [1, *each, 1] for each in (small, [*size]))
        self.depth, self.vertical, self.horizontal = (  # (D, d), (H, h) and (W, w)
            interpolation(few, many, grid.align_corners, rows.dtype) for few, many in zip(small, sides, strict=True))
        self.index = class_index(grid.labels, len(rows), ignore_index).view(images, -1, small[2])  # (N, d h, w)
        self.wide = chosen_rows(rows, self.index) @ self.horizontal.t()  # (N, C, d h, W)
        self.grad_wide = torch.zeros_like(self.wide)

    def add(self, chunk: Chunk, logits: Tensor, out: Tensor) -> None:
        """Write the logits (C, p) plus the upsampled rows to ``out`` (C, p), for a chunk of whole image rows."""
        points, weights = self._band(chunk)
        shape = len(logits), -1, self.wide.shape[3]
        torch.baddbmm(logits.view(shape), weights.expand(len(logits), -1, -1), self.wide[chunk.image, :, points],
                      out=out.view(shape))

    def collect(self, chunk: Chunk, grad: Tensor) -> None:
        """Accumulate the gradient (C, p) with respect to the values that ``add`` has added at the chunk."""
        points, weights = self._band(chunk)
        self.grad_wide[chunk.image, :, points].baddbmm_(
            weights.t().expand(len(grad), -1, -1), grad.view(len(grad), -1, self.wide.shape[3]))

    def grad_rows(self) -> Tensor:
        """Return the gradient with respect to the rows (C, C), after all chunks."""
        classes = self.wide.shape[1]
        grad = (self.grad_wide @ self.horizontal).movedim(1, -1).reshape(-1, classes)
        member = F.one_hot(self.index.flatten(), classes + 2)[:, :classes]
        return member.t().to(grad.dtype) @ grad

    def _band(self, chunk: Chunk) -> tuple[slice, Tensor]:
        """Return the slice of grid rows that the chunk depends on, and their interpolation weights."""
        width, (height, high) = self.wide.shape[3], self.vertical.shape
        first, last = chunk.pixels.start // width, chunk.pixels.stop // width
        if self.depth.numel() == 1:
            start, weights = 0, self.vertical[first:last]
        else:
            row = torch.arange(first, last)
            slices = self.depth[row // height]
            deep = _reached(slices)
            start, weights = deep.start * high, (slices[:, deep, None] * self.vertical[row % height, None]).flatten(1)
        points = _reached(weights)
        return slice(start + points.start, start + points.stop), weights[:, points]


def _reached(weights: Tensor) -> slice:
    """Return the slice of columns from the first to the last with a weight other than 0."""
    reached = weights.any(dim=0).nonzero().flatten()
    return slice(int(reached[0]), int(reached[-1]) + 1)
