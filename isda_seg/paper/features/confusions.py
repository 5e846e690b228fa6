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


def largest_entries(table: Tensor, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Return the largest off-diagonal entries in descending order: true class, other class, value."""
    return [dict(true=classes[row], other=classes[column], table=float(table[row, column]))
            for row, column in _off_diagonal(table)[:count]]


def frequent_confusions(counts: Tensor, table: Tensor, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Return the most frequent confusions, sorted by their entry in the margin table.

    The rows of the confusion matrix ``counts`` (C, C) and of the margin table (C, C) are true classes.

    Returns:
        for each: true class, predicted class as 'other', number of confusions, their share of the true class in per
        cent, entry of the margin table, and its rank among the C (C - 1) entries, 1 for the largest.
    """
    ranks = {pair: rank for rank, pair in enumerate(_off_diagonal(table), 1)}
    return [dict(true=classes[row], other=classes[column], count=int(counts[row, column]),
                 share=100 * float(counts[row, column] / counts[row].sum()), table=float(table[row, column]),
                 rank=ranks[row, column])
            for row, column in sorted(most_frequent(counts, count), key=ranks.__getitem__)]


def most_frequent(counts: Tensor, count: int) -> list[tuple[int, int]]:
    """Return (true class, predicted class) of the most frequent confusions with nonzero count."""
    return [pair for pair in _off_diagonal(counts)[:count] if counts[pair] > 0]


def rank_correlation(counts: Tensor, table: Tensor) -> float | None:
    """Return Spearman's correlation between the margin table and the confusion rates over all pairs of classes.

    Classes without samples are excluded as true classes. None if all rates or all entries are equal.
    """
    present = counts.sum(dim=1) > 0
    off_diagonal = ~torch.eye(len(table), dtype=torch.bool)[present]
    rates = (counts[present] / counts[present].sum(dim=1, keepdim=True))[off_diagonal]
    entries = table[present][off_diagonal]
    if min(len(rates.unique()), len(entries.unique())) < 2:
        return None
    return float(spearmanr(rates.numpy(), entries.numpy()).statistic)


def _off_diagonal(values: Tensor) -> list[tuple[int, int]]:
    """Return off-diagonal positions (row, column) by descending value."""
    order = values.flatten().double().argsort(descending=True, stable=True).tolist()
    return [(row, column) for row, column in (divmod(index, len(values)) for index in order) if row != column]
