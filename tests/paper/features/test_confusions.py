"""Comparison of the margin table with the confusion matrix."""

import pytest
import torch

from isda_seg.paper.features.confusions import confusion, frequent_confusions, largest_entries, rank_correlation

NAMES = ['car', 'bus', 'road']
TABLE = torch.tensor([[0.0, 5, 1], [2, 0, 4], [3, 0.5, 0]])
COUNTS = torch.tensor([[90, 10, 0], [3, 20, 1], [0, 4, 36]])


def test_confusion_equals_a_loop():
    labels, logits = torch.tensor([0, 2, 2, 1, 2]), torch.eye(3)[[0, 1, 1, 1, 2]]
    expected = torch.zeros(3, 3, dtype=torch.int64)
    for label, row in zip(labels.tolist(), logits, strict=True):
        expected[label, int(row.argmax())] += 1
    assert torch.equal(confusion(labels, logits), expected)


def test_largest_entries_are_in_descending_order():
    assert largest_entries(TABLE, NAMES, 2) == [dict(true='car', other='bus', table=5),
                                                dict(true='bus', other='road', table=4)]


def test_frequent_confusions_are_sorted_by_the_table():
    found = frequent_confusions(COUNTS, TABLE, NAMES, 3)  # car-bus 10, road-bus 4, bus-car 3
    assert [(pair['true'], pair['other'], pair['count'], pair['rank']) for pair in found] == [
        ('car', 'bus', 10, 1), ('bus', 'car', 3, 4), ('road', 'bus', 4, 6)]
    assert [pair['share'] for pair in found] == pytest.approx([10, 12.5, 10])
    assert frequent_confusions(COUNTS.diag().diag(), TABLE, NAMES, 3) == []


def test_rank_correlation_is_1_for_increasing_and_minus_1_for_decreasing():
    shares = torch.tensor([[0, 1, 2], [3, 0, 4], [5, 6, 0]])
    counts = shares + torch.diag(20 - shares.sum(dim=1))
    assert rank_correlation(counts, shares.float() ** 2) == pytest.approx(1)
    assert rank_correlation(counts, -shares.float()) == pytest.approx(-1)
    assert rank_correlation(counts, torch.ones(3, 3)) is None
    assert rank_correlation(torch.cat([counts[:2], 0 * counts[2:]]), shares.float()) == pytest.approx(1)
