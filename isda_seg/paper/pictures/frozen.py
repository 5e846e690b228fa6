"""Networks that a descent goes through and leaves as they are."""
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from isda_seg.paper.pictures.eval_mode import in_eval_mode


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """In eval mode and without gradients of the weights; afterwards as before."""
    weights = {weight: weight.requires_grad for network in networks for weight in network.parameters()}
    with in_eval_mode(*networks):
        try:
            for weight in weights:
                weight.requires_grad_(False)
            yield
        finally:
            for weight, wanted in weights.items():
                weight.requires_grad_(wanted)
