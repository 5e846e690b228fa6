"""Rows of a table selected on the feature grid and upsampled to the logits' size, one band of image rows at a time."""
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.checks import class_index
from isda_seg.core.ops.one_hot import Chunk


def chosen_rows(rows: Tensor, index: Tensor) -> Tensor:
    """Return ``rows[label]`` (N, C, ...) for labels (N, ...) from ``class_index``, 0 where not labelled."""
    return F.pad(rows, (0, 0, 0, 2))[index].movedim(-1, 1)


def resize(values: Tensor, size: tuple[int, ...], align_corners: bool) -> Tensor:
    """Resize (B, C, h, w) to (B, C, *size) bilinearly, as heads of MMSegmentation resize their logits.

    Points are resized linearly and volumes trilinearly. A volume of one slice gives the bits of an image.
    """
    if tuple(values.shape[2:]) == tuple(size):
        return values
    if len(size) > 2 and values.shape[2] == size[0] == 1:
        return resize(values[:, :, 0], size[1:], align_corners)[:, :, None]
    if len(size) > 3:
        raise RuntimeError(f'PyTorch interpolates at most 3 spatial dimensions, the labels have {len(size)}: pass '
                           f'labels of the size {tuple(values.shape[2:])} of the features')
    mode = ('linear', 'bilinear', 'trilinear')[len(size) - 1]
    return F.interpolate(values, size=size, mode=mode, align_corners=align_corners)


@lru_cache(maxsize=64)
def interpolation(small: int, large: int, align_corners: bool, dtype: torch.dtype) -> Tensor:
    """Return the cached matrix (large, small) of linear interpolation along one side of a map. Do not modify it."""
    identity = torch.eye(small, dtype=dtype)[None]
    return F.interpolate(identity, size=large, mode='linear', align_corners=align_corners)[0].t().contiguous()


class Grid(NamedTuple):
    """Labels on the feature grid, and how a head upsamples its logits from that grid."""
    labels: Tensor       # (N, h, w) int64
    align_corners: bool

    def upsample(self, values: Tensor, size: tuple[int, ...]) -> Tensor:
        """Resize values (N, C, h, w) to (N, C, *size)."""
        return resize(values, size, self.align_corners)


class Upsampled:
    """Upsampled ``rows[label]`` of a grid, computed chunk by chunk, with the accumulated gradient of the rows.

    Bilinear upsampling is a product with one interpolation matrix for each side of the map.

    Args:
        grid: labels of N images on the feature grid; points are an image of one column, and one slice is an image.
        size: (H, W) of the result.
        rows: (C, C).
        ignore_index: grid points with this label contribute 0.
    """

    def __init__(self, grid: Grid, size: tuple[int, ...], rows: Tensor, ignore_index: int | None) -> None:
        few, many = ([*side, 1] if len(side) == 1 else side[-2:] for side in (grid.labels.shape[1:], size))
        self.vertical, self.horizontal = (  # (H, h) and (W, w)
            interpolation(small, large, grid.align_corners, rows.dtype)
            for small, large in zip(few, many, strict=True))
        self.index = class_index(grid.labels, len(rows), ignore_index).view(-1, *few)
        self.wide = chosen_rows(rows, self.index) @ self.horizontal.t()  # (N, C, h, W)
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
        width = self.wide.shape[3]
        weights = self.vertical[chunk.pixels.start // width:chunk.pixels.stop // width]
        reached = weights.any(dim=0).nonzero().flatten()
        points = slice(int(reached[0]), int(reached[-1]) + 1)
        return points, weights[:, points]
