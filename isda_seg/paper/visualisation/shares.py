"""Shares of neighbours with the class of the query, and of new neighbours, by kind of translation."""
from collections.abc import Sequence
from typing import NamedTuple

from isda_seg.paper.visualisation.directions import Translation
from isda_seg.paper.visualisation.neighbours import Neighbours
from isda_seg.paper.visualisation.queries import Query


class Row(NamedTuple):
    """A translated query and its nearest neighbours."""
    query: Query
    translation: Translation
    neighbours: Neighbours  # fields (k,), shorter if there are fewer images


class Share(NamedTuple):
    """Shares over all rows of one kind of translation."""
    same_class: float  # share of the neighbours with the label of the query, in [0, 1]
    new: float         # share of the neighbour images that are not neighbours of the untranslated query, in [0, 1]
    length: float      # mean length of the translation, in units of the features
    neighbours: int    # number of neighbours


def shares(rows: Sequence[Sequence[Row]]) -> dict[str, Share]:
    """Return the shares over all queries by kind of translation.

    Args:
        rows: rows of each query; the first row is the untranslated query.
    """
    by_kind: dict[str, list[tuple[Row, Row]]] = {}
    for query_rows in rows:
        for row in query_rows:
            by_kind.setdefault(row.translation.kind, []).append((row, query_rows[0]))
    return {kind: _share(pairs) for kind, pairs in by_kind.items()}


def _share(pairs: Sequence[tuple[Row, Row]]) -> Share:
    same = [label == row.query.label for row, _ in pairs for label in row.neighbours.label.tolist()]
    new = [image not in unchanged.neighbours.image.tolist()
           for row, unchanged in pairs for image in row.neighbours.image.tolist()]
    length = sum(float(row.translation.shift.norm()) for row, _ in pairs) / len(pairs)
    return Share(sum(same) / max(1, len(same)), sum(new) / max(1, len(new)), length, len(same))
