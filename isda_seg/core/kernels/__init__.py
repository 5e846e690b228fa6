"""Triton kernels of the ISDA loss on a GPU. Sums have a fixed order, so that results repeat bitwise."""
import os
import warnings
from functools import cache
from importlib import import_module
from typing import Any

from torch import Tensor

DEVICES = {'cuda'}  # NVIDIA's and AMD's GPUs
MOST_CLASSES = 256  # the backward pass keeps (C, C) sums for each program
_failed: list[Exception] = []


def kernels_of(logits: Tensor) -> Any:
    """Return the module ``autograd`` if kernels support the logits (N, C, ...); None to use PyTorch's operators.

    The environment variable ``ISDA_SEG_KERNELS=0`` turns the kernels off.
    """
    if os.environ.get('ISDA_SEG_KERNELS') == '0' or logits.dim() > 2 and logits.shape[1] > MOST_CLASSES:
        return None
    small = logits.dtype.itemsize <= 4 and logits[:1].numel() < 1 << 31
    return _autograd() if small and logits.device.type in DEVICES and not _failed else None


@cache
def _autograd() -> Any:
    try:
        return import_module('isda_seg.core.kernels.autograd')
    except ImportError:  # no Triton on this system
        return None


def give_up(error: Exception) -> None:
    """Use PyTorch's operators from now on, with a warning."""
    if not _failed:
        warnings.warn('the GPU kernels of ISDA failed. It continues with PyTorch operators, which need more memory and '
                      f'time: {type(error).__name__}: {str(error)[:200]}', stacklevel=2)
    _failed.append(error)
