"""Networks that a descent goes through and leaves as they are."""
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """In eval mode, so that running statistics stay, and without gradients of the weights; afterwards as before."""
    modules = {module: module.training for network in networks for module in network.modules()}
    weights = {weight: weight.requires_grad for network in networks for weight in network.parameters()}
    try:
        for network in networks:
            network.eval().requires_grad_(False)
        yield
    finally:
        for module, training in modules.items():
            module.training = training
        for weight, wanted in weights.items():
            weight.requires_grad_(wanted)
