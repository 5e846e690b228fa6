"""Where feature pixels sit in the label map."""
from functools import lru_cache
from typing import TypeVar

import torch
from torch import Tensor

Index = TypeVar('Index', int, Tensor)
LABEL_SAMPLINGS = ('exact', 'nearest')


@lru_cache(maxsize=64)
def label_index(small: int, large: int, align_corners: bool, sampling: str = 'exact',
                device: torch.device | str = 'cpu') -> Tensor:
    """The label row (or column) each of ``small`` feature rows sits on, among ``large``; made on the device, once.

    'exact': ``round(i (large-1) / (small-1))`` with align_corners, otherwise the centre of the cell ('nearest-exact').
    'nearest': ``floor(i large / small)``, the authors' way: without align_corners off by up to half a cell, with it, as
    theirs, by up to a whole one (7 of 8 pixels from 769 to 97).

    Returns:
        (small,) int64; not to be changed.
    """
    i = torch.arange(small, device=device)
    return i * large // small if sampling == 'nearest' else pixel_of(i, small, large, align_corners)


def pixel_of(i: Index, small: int, large: int, align_corners: bool) -> Index:
    """Where among ``large`` rows feature row i of ``small`` sits; for one number or many."""
    if align_corners:
        return i * 0 if small == 1 else (2 * i * (large - 1) + small - 1) // (2 * (small - 1))
    return (2 * i + 1) * large // (2 * small)


def labels_on_grid(labels: Tensor, size: tuple[int, ...], align_corners: bool, sampling: str = 'exact') -> Tensor:
    """Labels (B, H, W) at the pixels that features of ``size`` (h, w) sit on: (B, h, w). Labels (N,) stay."""
    if labels.dim() == 1 or tuple(labels.shape[1:]) == tuple(size):
        return labels
    rows, columns = (label_index(small, large, align_corners, sampling, labels.device)
                     for small, large in zip(size, labels.shape[1:], strict=True))
    return labels[:, rows[:, None], columns]


def source(index: int, small: int, large: int, align_corners: bool) -> tuple[int, int, float]:
    """The two of ``small`` rows that row ``index`` of ``large`` is interpolated from, and the share of the second."""
    if align_corners:
        position = index * (small - 1) / (large - 1) if large > 1 else 0.0
    else:
        position = max((index + 0.5) * small / large - 0.5, 0.0)
    first = min(int(position), small - 1)
    return first, min(first + 1, small - 1), position - first
