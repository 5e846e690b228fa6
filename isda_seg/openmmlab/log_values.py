"""Logged scalars of the ISDA losses. Plain torch."""
from collections.abc import Sequence

from isda_seg.openmmlab.pairs import HookedPair


def scalars(pairs: Sequence[HookedPair]) -> dict[str, float]:
    """Return strength, mean and largest entry of the margin table for each head, or for each loss of a head."""
    result = {}
    for pair in pairs:
        table = pair.loss.table()
        mean = float(table.sum()) / (len(table) * (len(table) - 1))
        values = dict(strength=pair.loss.strength, table_mean=mean, table_max=float(table.max()))
        result.update({f'{_key(pair, pairs)}_{key}': value for key, value in values.items()})
    return result


def _key(pair: HookedPair, pairs: Sequence[HookedPair]) -> str:
    names = [other.loss.loss_name for other in pairs if other.name == pair.name]
    name = pair.loss.loss_name
    name = 'isda' if len(names) == 1 else name if names.count(name) == 1 else pair.path
    return f'{pair.name}.{name}' if pair.name else name
