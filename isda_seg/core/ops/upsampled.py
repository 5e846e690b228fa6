"""Rows of a table chosen on a small grid and upsampled to the logits' size, a band of image rows at a time."""
from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.checks import class_index
from isda_seg.core.ops.one_hot import Chunk


def chosen_rows(rows: Tensor, index: Tensor) -> Tensor:
    """rows[label] (N, C, ...) of labels (N, ...) as ``class_index`` has them, 0 where nothing is labelled."""
    return F.pad(rows, (0, 0, 0, 2))[index].movedim(-1, 1)


def resize(values: Tensor, size: tuple[int, ...], align_corners: bool) -> Tensor:
    """Bilinear, as MMSeg's heads resize their logits to the label map; (B, C, h, w) -> (B, C, *size)."""
    if tuple(values.shape[2:]) == tuple(size):
        return values
    return F.interpolate(values, size=size, mode='bilinear', align_corners=align_corners)


@lru_cache(maxsize=64)
def interpolation(small: int, large: int, align_corners: bool, dtype: torch.dtype) -> Tensor:
    """The matrix (large, small) of linear interpolation along one side of a map; not to be changed."""
    identity = torch.eye(small, dtype=dtype)[None]
    return F.interpolate(identity, size=large, mode='linear', align_corners=align_corners)[0].t().contiguous()


class Grid(NamedTuple):
    """Labels on the feature grid, whose rows are upsampled as a head upsamples its logits."""
    labels: Tensor       # (N, h, w) int64
    align_corners: bool

    def upsample(self, values: Tensor, size: tuple[int, ...]) -> Tensor:
        """(N, C, h, w) to (N, C, *size)."""
        return resize(values, size, self.align_corners)


class Upsampled:
    """rows[label] at the grid's points, upsampled where it is needed; and the gradient of rows, collected likewise.

    Bilinear upsampling is two products, one with a matrix for each side of the map.

    Args:
        grid: N images.
        size: (H, W) to upsample to.
        rows: (C, C).
        ignore_index: points with this label add nothing.
    """

    def __init__(self, grid: Grid, size: tuple[int, ...], rows: Tensor, ignore_index: int | None) -> None:
        self.vertical, self.horizontal = (  # (H, h) and (W, w)
            interpolation(small, large, grid.align_corners, rows.dtype)
            for small, large in zip(grid.labels.shape[1:], size, strict=True))
        self.index = class_index(grid.labels, len(rows), ignore_index)
        self.wide = chosen_rows(rows, self.index) @ self.horizontal.t()  # (N, C, h, W)
        self.grad_wide = torch.zeros_like(self.wide)

    def add(self, chunk: Chunk, logits: Tensor, out: Tensor) -> None:
        """out (C, p) = logits (C, p) and what is added at the chunk's pixels, whole rows of the image."""
        points, weights = self._band(chunk)
        shape = len(logits), -1, self.wide.shape[3]
        torch.baddbmm(logits.view(shape), weights.expand(len(logits), -1, -1), self.wide[chunk.image, :, points],
                      out=out.view(shape))

    def collect(self, chunk: Chunk, grad: Tensor) -> None:
        """Take the gradient (C, p) of what was added at the chunk's pixels."""
        points, weights = self._band(chunk)
        self.grad_wide[chunk.image, :, points].baddbmm_(
            weights.t().expand(len(grad), -1, -1), grad.view(len(grad), -1, self.wide.shape[3]))

    def grad_rows(self) -> Tensor:
        """The gradient of rows (C, C), after all chunks."""
        classes = self.wide.shape[1]
        grad = (self.grad_wide @ self.horizontal).movedim(1, -1).reshape(-1, classes)
        member = F.one_hot(self.index.flatten(), classes + 2)[:, :classes]
        return member.t().to(grad.dtype) @ grad

    def _band(self, chunk: Chunk) -> tuple[slice, Tensor]:
        """Which of the grid's rows reach into the chunk, and how much of each its image rows get."""
        width = self.wide.shape[3]
        weights = self.vertical[chunk.pixels.start // width:chunk.pixels.stop // width]
        reached = weights.any(dim=0).nonzero().flatten()
        points = slice(int(reached[0]), int(reached[-1]) + 1)
        return points, weights[:, points]
