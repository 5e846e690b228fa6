"""A host answers at once and has caches; a device is sent few, large operations and is never waited for."""
from functools import lru_cache

import torch
from torch import Tensor

HOSTS = ('cpu',)  # every other device type is worked on without a wait


def on_host(tensor: Tensor) -> bool:
    """Whether a value of the tensor may be asked for in the middle of a step."""
    return tensor.device.type in HOSTS


def widest(tensor: Tensor) -> torch.dtype:
    """The dtype in which squares may cancel: float64, or float32 on a device that has no other."""
    return torch.float32 if tensor.device.type == 'mps' else torch.float64


@lru_cache(maxsize=256)
def constant(value: float, shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of one number, made on the device once instead of in every step; not to be changed."""
    with torch.inference_mode(False):
        return torch.full(shape, value, dtype=dtype, device=device)
