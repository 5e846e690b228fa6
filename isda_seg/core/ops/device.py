"""CPU and accelerator dispatch without GPU synchronisation."""
from functools import lru_cache

import torch
from torch import Tensor

CPU_TYPES: tuple[str, ...] = ('cpu',)  # every other device type runs code without synchronisation


def on_cpu(tensor: Tensor) -> bool:
    """Return whether the tensor is on a CPU, so that reading its values causes no synchronisation."""
    return tensor.device.type in CPU_TYPES


def widest(tensor: Tensor) -> torch.dtype:
    """Return the widest floating dtype of the tensor's device: float64, but float32 on MPS."""
    return torch.float32 if tensor.device.type == 'mps' else torch.float64


@lru_cache(maxsize=256)
def constant(value: float, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a cached tensor filled with ``value``. Callers must not modify it."""
    with torch.inference_mode(False):
        return torch.full(shape, value, dtype=dtype, device=device)
