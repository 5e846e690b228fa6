"""Comparison of the margin table with the confusion matrix."""
from collections.abc import Sequence
from typing import Any

import torch
from scipy.stats import spearmanr
from torch import Tensor


def confusion(labels: Tensor, logits: Tensor) -> Tensor:
    """Return the confusion matrix (C, C), row = true class, column = predicted class; labels (N,), logits (N, C)."""
    classes = logits.shape[1]
    return torch.bincount(labels * classes + logits.argmax(dim=1), minlength=classes ** 2).view(classes, classes)


def largest(table: Tensor, classes: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Return the largest off-diagonal entries in descending order: true class, other class, value."""
    return [dict(true=classes[row], other=classes[column], table=float(table[row, column]))
            for row, column in _off_diagonal(table, most)]


def frequent(counts: Tensor, table: Tensor, classes: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Return the most frequent confusions, sorted by their entry in the margin table.

    Args:
        counts: confusion matrix (C, C), row = true class.
        table: margin table (C, C).
        classes: class names.
        most: maximum number of confusions.

    Returns:
        for each: true class, predicted class as 'other', number of confusions, their share of the true class in per
        cent, entry of the margin table, and its rank among the C (C - 1) entries, 1 for the largest.
    """
    ranks = {place: rank for rank, place in enumerate(_off_diagonal(table), 1)}
    pairs = most_frequent(counts, most)
    return [dict(true=classes[row], other=classes[column], count=int(counts[row, column]),
                 share=100 * float(counts[row, column] / counts[row].sum()), table=float(table[row, column]),
                 rank=ranks[row, column]) for row, column in sorted(pairs, key=ranks.__getitem__)]


def most_frequent(counts: Tensor, most: int) -> list[tuple[int, int]]:
    """Return (true class, predicted class) of the most frequent confusions with nonzero count."""
    return [place for place in _off_diagonal(counts, most) if counts[place] > 0]


def agreement(counts: Tensor, table: Tensor) -> float | None:
    """Spearman's rank correlation between the margin table and the confusion rates over all pairs of classes.

    Classes without samples are excluded as true classes. None if all rates or all entries are equal.
    """
    there = counts.sum(dim=1) > 0
    off = ~torch.eye(len(table), dtype=torch.bool)[there]
    shares = (counts[there] / counts[there].sum(dim=1, keepdim=True))[off]
    entries = table[there][off]
    if min(len(shares.unique()), len(entries.unique())) < 2:
        return None
    return float(spearmanr(shares.numpy(), entries.numpy()).statistic)


def _off_diagonal(values: Tensor, most: int | None = None) -> list[tuple[int, int]]:
    """Return off-diagonal positions (row, column) by descending value."""
    classes = len(values)
    order = values.flatten().double().argsort(descending=True, stable=True).tolist()
    places = [divmod(index, classes) for index in order]
    return [(row, column) for row, column in places if row != column][:most]
