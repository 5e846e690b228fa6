"""Shares of neighbours with the class of the query, and of new neighbours, by kind of translation."""
from collections.abc import Sequence
from typing import NamedTuple

from isda_seg.paper.pictures.directions import Move
from isda_seg.paper.pictures.neighbours import Neighbours
from isda_seg.paper.pictures.queries import Query


class Row(NamedTuple):
    """A query that is moved, and what it arrives at."""
    query: Query
    move: Move
    neighbours: Neighbours  # each field (k,) or shorter, where fewer images were there


class Share(NamedTuple):
    """Over all rows of one kind of move."""
    same_class: float  # share of the neighbours whose label is the query's, 0..1
    new: float         # share of the neighbours' images that are none of the unmoved query's, 0..1
    length: float      # of the move, mean, in units of the features
    neighbours: int    # how many were counted


def shares(rows: Sequence[Sequence[Row]]) -> dict[str, Share]:
    """By kind of move, over all queries.

    Args:
        rows: of each query; its first row is the unmoved one.
    """
    by_kind: dict[str, list[tuple[Row, Row]]] = {}
    for own in rows:
        for row in own:
            by_kind.setdefault(row.move.kind, []).append((row, own[0]))
    return {kind: _share(pairs) for kind, pairs in by_kind.items()}


def _share(pairs: Sequence[tuple[Row, Row]]) -> Share:
    same = [label == row.query.label for row, _ in pairs for label in row.neighbours.label.tolist()]
    new = [image not in unmoved.neighbours.image.tolist()
           for row, unmoved in pairs for image in row.neighbours.image.tolist()]
    length = sum(float(row.move.shift.norm()) for row, _ in pairs) / len(pairs)
    return Share(sum(same) / max(1, len(same)), sum(new) / max(1, len(new)), length, len(same))
