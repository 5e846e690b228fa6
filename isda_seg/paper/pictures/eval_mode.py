"""Networks in eval mode for a while, so that running statistics stay."""
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_eval_mode(*networks: nn.Module) -> Iterator[None]:
    """Afterwards the mode of every module in them is what it was."""
    modes = {module: module.training for network in networks for module in network.modules()}
    try:
        for network in networks:
            network.eval()
        yield
    finally:
        for module, training in modes.items():
            module.training = training
