"""The heat map shows the table with the true class in rows."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

pytest.importorskip('sklearn')
from isda_seg.paper.features.features import Covariances, Features, SplitSummary  # noqa: E402
from isda_seg.paper.features.figures import colour_and_marker, draw_table  # noqa: E402
from isda_seg.paper.features.table_map import UNIT  # noqa: E402


def test_rows_are_true_classes_and_rings_mark_frequent_confusions():
    table = torch.tensor([[0.0, 5, 1], [2, 0, 4], [3, 0.5, 0]])
    counts = torch.tensor([[90, 10, 0], [3, 20, 1], [0, 4, 36]])
    model = Features('net', ['car', 'bus', 'road'], SplitSummary(0, None, counts, None, 'full'), None, None, [])
    figure = Figure()
    axis = figure.subplots()
    draw_table(axis, model, Covariances('test data', None, table), count=2)
    shown = axis.images[0].get_array()
    np.testing.assert_array_equal(shown.filled(0), table.numpy())
    assert shown.mask.tolist() == np.eye(3, dtype=bool).tolist()
    assert [label.get_text() for label in axis.get_yticklabels()] == model.classes
    assert [label.get_text() for label in axis.get_xticklabels()] == model.classes
    assert (axis.get_ylabel(), figure.axes[1].get_ylabel()) == ('true class', UNIT)
    assert {ring.center for ring in axis.patches} == {(1, 0), (1, 2)}  # column, row
    assert {(text.get_position(), text.get_text()) for text in axis.texts} >= {((1, 0), '5.00'), ((0, 1), '2.00')}


def test_100_classes_have_unique_colours_and_markers():
    assert len({colour_and_marker(number, 100) for number in range(100)}) == 100
