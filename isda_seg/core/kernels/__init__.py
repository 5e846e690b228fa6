"""Triton kernels of the ISDA loss on a GPU. Sums have a fixed order, so that results repeat bitwise."""
import os
import warnings
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

DEVICES = {'cuda'}  # NVIDIA's and AMD's GPUs
MOST_CLASSES = 256  # of maps: the backward pass keeps (C, C) sums for each program
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_failed: list[Exception] = []


def kernels_of(logits: Tensor, *others: Tensor) -> Any:
    """Return the module ``autograd`` if kernels support the logits (N, C, ...); None to use PyTorch's operators.

    The first call on a device, in a dtype and layout, compares a small loss with that of PyTorch. The environment
    variable ``ISDA_SEG_KERNELS=0`` turns the kernels off.

    Args:
        logits: logits that need gradients.
        others: weight and covariance.
    """
    if logits.device.type not in DEVICES or _failed or os.environ.get('ISDA_SEG_KERNELS') == '0' or not _installed():
        return None
    if any(tensor.dtype not in DTYPES for tensor in (logits, *others)) or not 0 < logits[:1].numel() < 1 << 31:
        return None
    maps = logits.dim() > 2
    if maps and logits.shape[1] > MOST_CLASSES:
        return None
    return _installed() if _works(logits.device, logits.dtype, maps and logits.stride(1) == 1) else None


@cache
def _installed() -> Any:
    try:
        return import_module('isda_seg.core.kernels.autograd')
    except ImportError:  # no Triton on this system
        return None


@cache
def _works(device: torch.device, dtype: torch.dtype, channels_last: bool) -> bool:
    """Return whether loss and gradients of a small map equal those of PyTorch. Synchronises."""
    return device.type == 'meta' or succeeds(lambda: _installed().compare_small(device, dtype, channels_last))


def succeeds(comparison: Callable[[], None]) -> bool:
    """Return whether a comparison raises no error; after one, PyTorch's operators are used, with a warning."""
    try:
        comparison()
    except torch.cuda.OutOfMemoryError:
        raise
    except Exception as error:  # of the compiler or the driver, or a difference
        if not _failed:
            warnings.warn('the GPU kernels of ISDA failed. It continues with PyTorch operators, which need more memory '
                          f'and time: {type(error).__name__}: {str(error)[:200]}', stacklevel=2)
        _failed.append(error)
    return not _failed
