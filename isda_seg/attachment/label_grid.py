"""Positions of feature pixels in the label map."""
from functools import lru_cache
from typing import Any, TypeVar

import torch
from torch import Tensor

Index = TypeVar('Index', int, Tensor)
LABEL_SAMPLINGS = ('exact', 'nearest')


@lru_cache(maxsize=64)
def label_index(small: int, large: int, align_corners: bool, label_sampling: str = 'exact',
                device: torch.device | str = 'cpu') -> Tensor:
    """Return the label row (or column) of each of ``small`` feature rows, among ``large`` label rows; a cached tensor.

    With 'exact', it is ``round(i (large-1) / (small-1))`` for align_corners, otherwise the centre of the cell
    ('nearest-exact'). With 'nearest', it is ``floor(i large / small)`` as in the authors' code, which is wrong by up to
    half a cell, and by up to a whole cell for align_corners.
    """
    i = torch.arange(small, device=device)
    return i * large // small if label_sampling == 'nearest' else pixel_of(i, small, large, align_corners)


def pixel_of(i: Index, small: int, large: int, align_corners: bool) -> Index:
    """Return the position of feature row i of ``small`` among ``large`` rows; i is an integer or a tensor."""
    if align_corners:
        return i * 0 if small == 1 else (2 * i * (large - 1) + small - 1) // (2 * (small - 1))
    return (2 * i + 1) * large // (2 * small)


def labels_on_grid(labels: Tensor, size: tuple[int, ...], align_corners: bool, label_sampling: str = 'exact') -> Tensor:
    """Return the labels (B, H, W) at the positions of features of ``size`` (h, w): (B, h, w), for any number of sides.

    Class probabilities (B, C, H, W) give (B, C, h, w).
    """
    large = labels.shape[labels.dim() - len(size):]
    if tuple(large) == tuple(size):
        return labels
    index: list[Any] = [...]
    for place, (small, side) in enumerate(zip(size, large, strict=True), start=1):
        rows = label_index(small, side, align_corners, label_sampling, labels.device)
        index.append(rows.view(-1, *[1] * (len(size) - place)))
    return labels[tuple(index)]


def without_class(labels: Tensor, number: int | None, ignore_index: int) -> Tensor:
    """Return the labels with ``ignore_index`` in place of a class; unchanged for None."""
    return labels if number is None else labels.masked_fill(labels == number, ignore_index)


def neighbours_of(index: int, small: int, large: float, align_corners: bool) -> tuple[int, int, float]:
    """Return the two of ``small`` rows between which row ``index`` of ``large`` lies, and the share of the second."""
    if align_corners:
        position = index * (small - 1) / (large - 1) if large > 1 else 0.0
    else:
        position = max((index + 0.5) * small / large - 0.5, 0.0)
    first = min(int(position), small - 1)
    return first, min(first + 1, small - 1), position - first
