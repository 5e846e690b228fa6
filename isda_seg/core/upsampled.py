"""Rows of a table chosen on a small grid and upsampled to the logits' size, a band of image rows at a time."""
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.checks import class_index
from isda_seg.core.one_hot import Chunk


def chosen_rows(rows: Tensor, index: Tensor) -> Tensor:
    """rows[label] (N, C, ...) of labels (N, ...) as ``class_index`` has them, 0 where nothing is labelled."""
    return F.pad(rows, (0, 0, 0, 2))[index].movedim(-1, 1)


class Grid(NamedTuple):
    """Labels on a grid, and how its rows and columns are interpolated: bilinear upsampling is two products."""
    labels: Tensor      # (N, h, w) int64
    vertical: Tensor    # (H, h)
    horizontal: Tensor  # (W, w)

    def upsample(self, values: Tensor) -> Tensor:
        """(N, C, h, w) to (N, C, H, W)."""
        return self.vertical @ values @ self.horizontal.t()


class Upsampled:
    """rows[label] at the grid's points, upsampled where it is needed; and the gradient of rows, collected likewise.

    Args:
        grid: N images.
        rows: (C, C).
        ignore_index: points with this label add nothing.
    """

    def __init__(self, grid: Grid, rows: Tensor, ignore_index: int | None) -> None:
        self.grid = grid
        self.index = class_index(grid.labels, len(rows), ignore_index)
        self.wide = chosen_rows(rows, self.index) @ grid.horizontal.t()  # (N, C, h, W)
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
        grad = (self.grad_wide @ self.grid.horizontal).movedim(1, -1).reshape(-1, classes)
        member = F.one_hot(self.index.flatten(), classes + 2)[:, :classes]
        return member.t().to(grad.dtype) @ grad

    def _band(self, chunk: Chunk) -> tuple[slice, Tensor]:
        """Which of the grid's rows reach into the chunk, and how much of each its image rows get."""
        width = self.wide.shape[3]
        weights = self.grid.vertical[chunk.pixels.start // width:chunk.pixels.stop // width]
        reached = weights.any(dim=0).nonzero().flatten()
        points = slice(int(reached[0]), int(reached[-1]) + 1)
        return points, weights[:, points]
