"""Logged scalars of the ISDA losses. Plain torch."""
from collections.abc import Sequence
from typing import Any

from isda_seg.openmmlab.pairs import Pair


def scalars(pairs: Sequence[Pair]) -> dict[str, float]:
    """Return strength, mean and largest entry of the margin table for each head, or for each loss of a head."""
    result = {}
    for pair in pairs:
        loss: Any = pair.loss
        table = loss.table()
        mean = float(table.sum()) / (len(table) * (len(table) - 1))
        values = dict(strength=loss.strength, table_mean=mean, table_max=float(table.max()))
        result.update({f'{_key(pair, pairs)}_{key}': value for key, value in values.items()})
    return result


def _key(pair: Pair, pairs: Sequence[Pair]) -> str:
    names: list[Any] = [other.loss.loss_name for other in pairs if other.name == pair.name]
    name: Any = pair.loss.loss_name
    name = 'isda' if len(names) == 1 else name if names.count(name) == 1 else pair.place
    return f'{pair.name}.{name}' if pair.name else str(name)
