"""Read a parametrized weight without changing the state of its parametrizations."""
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrize import is_parametrized

__all__ = ['is_parametrized', 'without_trace']


def without_trace(module: nn.Module, name: str) -> Any:
    """Return a tensor of the module as its last forward pass computed it.

    Each read of a parametrized tensor runs its parametrizations. In training mode, spectral normalisation then takes a
    step of its power iteration. Here they run in eval mode, and their buffers keep their values.
    """
    if not is_parametrized(module, name):
        return getattr(module, name)
    parametrizations: Any = module.parametrizations
    with _frozen(parametrizations[name]):
        return getattr(module, name)


@contextmanager
def _frozen(parametrizations: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in parametrizations.modules()]
    buffers = [(buffer, buffer._version, buffer.clone()) for buffer in parametrizations.buffers()]
    try:
        for part, _ in modes:
            part.training = False
        yield
    finally:
        for part, training in modes:
            part.training = training
        with torch.no_grad():
            for buffer, version, value in buffers:
                if buffer._version != version:
                    buffer.copy_(value)
