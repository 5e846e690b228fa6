"""Does a file hold every weight of a network? Asked before loading, which would leave what is missing random."""
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor

TRACKED = '.num_batches_tracked'  # absent from old checkpoints, and used by no forward pass
SHOWN = 5


class Coverage(NamedTuple):
    """What a state dict is to a network."""
    covered: int              # tensors of the network that are there in the right shape
    total: int
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]       # with both shapes

    @property
    def full(self) -> bool:
        """Everything is there, and nothing that belongs to another network."""
        return not (self.missing or self.unexpected or self.reshaped)

    def __str__(self) -> str:
        parts = (('missing', self.missing), ('unexpected', self.unexpected), ('of another shape', self.reshaped))
        lists = '; '.join(f'{what}: {_list(names)}' for what, names in parts if names)
        return f'{self.covered} of {self.total} tensors covered' + (f'; {lists}' if lists else '')


def coverage(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], whole: bool = False) -> Coverage:
    """Compare a network's state dict with one that is to be loaded.

    What belongs to parts that the network has none of, as the last layer of a classification network, is no error,
    unless the file has to be this network as a ``whole``.
    """
    parts = {key.split('.')[0] for key in (found if whole else wanted)}
    missing = [key for key in wanted if key not in found and not key.endswith(TRACKED)]
    unexpected = [key for key in found if key not in wanted and key.split('.')[0] in parts]
    reshaped = [f'{key} {tuple(found[key].shape)} instead of {tuple(wanted[key].shape)}' for key in wanted
                if key in found and found[key].shape != wanted[key].shape]
    total = sum(not key.endswith(TRACKED) for key in wanted)
    bad = sum(not name.split(' ')[0].endswith(TRACKED) for name in reshaped)
    return Coverage(total - len(missing) - bad, total, missing, unexpected, reshaped)


def _list(names: Iterable[str]) -> str:
    names = list(names)
    return ', '.join(names[:SHOWN]) + (f' and {len(names) - SHOWN} more' if len(names) > SHOWN else '')
