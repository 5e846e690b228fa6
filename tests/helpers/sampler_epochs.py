"""Indices that a sampler yields on each rank."""
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest


def sampler_epochs(monkeypatch: pytest.MonkeyPatch, module: ModuleType, make: Callable[[], Any], number: int,
                   ranks: int) -> list[list[list[Any]]]:
    """Return the indices of each rank in each of the first epochs.

    Args:
        monkeypatch: replaces ``get_dist_info`` in ``module``, where the sampler looks it up.
        module: see above.
        make: builds the sampler of a rank.
        number: number of epochs.
        ranks: number of ranks.
    """
    samplers = []
    for rank in range(ranks):
        monkeypatch.setattr(module, 'get_dist_info', lambda rank=rank: (rank, ranks))
        samplers.append(make())
    found = []
    for epoch in range(number):
        for one in samplers:
            one.set_epoch(epoch)
        found.append([list(one) for one in samplers])
    return found
