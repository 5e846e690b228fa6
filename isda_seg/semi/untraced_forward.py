"""Further passes of a network in train mode that must not leave a trace: equal random numbers, running stats kept."""
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def same_random_numbers(device: torch.device) -> Callable[[], AbstractContextManager[None]]:
    """Remember the random state of CPU and device now; each call's context starts from it and restores what was."""
    devices = [device] if device.type == 'cuda' else []
    cpu, others = torch.get_rng_state(), [torch.cuda.get_rng_state(one) for one in devices]

    @contextmanager
    def again() -> Iterator[None]:
        with torch.random.fork_rng(devices=devices):
            torch.set_rng_state(cpu)
            for one, state in zip(devices, others, strict=True):
                torch.cuda.set_rng_state(state, one)
            yield

    return again


@contextmanager
def frozen_running_stats(network: Any) -> Iterator[None]:
    """Batch norms in train mode normalise by their batch and leave their running mean and variance alone."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats
             ] if isinstance(network, nn.Module) else []
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
