"""Read a weight that each read computes, such as a parametrized one, without changing what it is computed from."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def is_computed(module: nn.Module, name: str) -> bool:
    """Return whether each read of a tensor computes it: by parametrizations, or by another property of the class."""
    return hasattr(type(module), name)


def without_trace(module: nn.Module, name: str) -> Any:
    """Return a tensor of the module as its last forward pass computed it, if its computation is not random.

    Each read of a computed tensor may change the state of the module. In training mode, spectral normalisation takes a
    step of its power iteration. Here the module is in eval mode, and all states are those before the read afterwards.
    """
    if not is_computed(module, name):
        return getattr(module, name)
    with _on_copies(module):
        return getattr(module, name)


@contextmanager
def _on_copies(module: nn.Module) -> Iterator[None]:
    """Let a module in eval mode work on copies of its buffers and other tensors, and restore random states."""
    parts = [(part, part.__dict__) for part in module.modules()]
    generators = [(value, value.get_state()) for _, state in parts for value in state.values()
                  if isinstance(value, torch.Generator)]
    with torch.random.fork_rng({tensor.get_device() for tensor in module.parameters() if tensor.is_cuda}):
        try:
            for part, state in parts:
                part.__dict__ = _copies(state) | dict(_buffers=_copies(part._buffers), training=False)
            yield
        finally:
            for part, state in parts:
                part.__dict__ = state
            for generator, before in generators:
                generator.set_state(before)


def _copies(state: dict[str, Any]) -> dict[str, Any]:
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}
