"""Read a parametrized weight, or one that another property computes, without side effects on the module."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def is_computed(module: nn.Module, name: str) -> bool:
    """Return whether a property of the class, such as that of a parametrization, computes a tensor at each read."""
    return hasattr(type(module), name)


def without_trace(module: nn.Module, name: str) -> Any:
    """Return a tensor of the module with the value of the last forward pass, unless its computation is random.

    Each read of a computed tensor may change the state of the module: in training mode, spectral normalisation takes a
    step of its power iteration. Here the module is read in eval mode, and its state is restored afterwards.
    """
    if not is_computed(module, name):
        return getattr(module, name)
    with _on_copies(module):
        return getattr(module, name)


@contextmanager
def _on_copies(module: nn.Module) -> Iterator[None]:
    """Put a module in eval mode with copies of its buffers and other tensors; restore these and random states."""
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
