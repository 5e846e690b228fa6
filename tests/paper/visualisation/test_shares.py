"""Shares of neighbours by kind of translation."""

import torch

from isda_seg.paper.visualisation.directions import SAMPLED, UNCHANGED, Translation
from isda_seg.paper.visualisation.neighbours import Neighbours
from isda_seg.paper.visualisation.queries import Query
from isda_seg.paper.visualisation.shares import Row, Share, shares


def row(label, kind, length, images, labels):
    zeros = torch.zeros(len(images))
    return Row(Query(torch.zeros(2), label, label, 0, 0), Translation(kind, '', torch.tensor([length, 0.0])),
               Neighbours(zeros, torch.tensor(images), zeros.long(), torch.tensor(labels)))


def test_shares_are_counted_by_kind_over_all_queries():
    first = [row(1, UNCHANGED, 0.0, [3, 4], [1, 1]), row(1, SAMPLED, 2.0, [4, 5], [1, 0]),
             row(1, SAMPLED, 3.0, [6, 7], [0, 0])]
    second = [row(2, UNCHANGED, 0.0, [5, 6], [2, 1]), row(2, SAMPLED, 4.0, [6], [2])]
    assert shares([first, second]) == {UNCHANGED: Share(0.75, 0.0, 0.0, 4), SAMPLED: Share(0.4, 0.6, 3.0, 5)}
