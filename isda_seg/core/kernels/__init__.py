"""Triton kernels of the ISDA loss on a GPU. Sums have a fixed order, so that results repeat bitwise."""
import logging
import os
import warnings
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

DEVICES = {'cuda'}  # NVIDIA's and AMD's GPUs
MOST_CLASSES = 256  # of maps: the backward pass keeps (C, C) sums for each program
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
COMPILES = 'the first steps compile GPU kernels of the ISDA loss, and compare them with PyTorch operators. Triton ' \
           'keeps them for later runs in ~/.triton/cache (TRITON_CACHE_DIR)'
_failed: list[Exception] = []


def kernels_of(logits: Tensor, *others: Tensor) -> Any:
    """Return the module ``autograd`` if kernels support the logits (N, C, ...); None to use PyTorch's operators.

    The first call on a device, in a dtype and layout, compares a small loss with that of PyTorch. The environment
    variable ``ISDA_SEG_KERNELS=0`` turns the kernels off.

    Args:
        logits: logits that need gradients.
        others: weight and covariance.
    """
    if not used_on(logits.device):
        return None
    images = len(logits)  # each smaller than 2^31 elements
    if not 0 < logits.numel() < images << 31 or any([tensor.dtype not in DTYPES for tensor in (logits, *others)]):
        return None
    maps = logits.dim() > 2
    if maps and logits.shape[1] > MOST_CLASSES:
        return None
    return _installed() if _works(logits.device, logits.dtype, maps and logits.stride(1) == 1) else None


def used_on(device: torch.device) -> bool:
    """Return whether kernels are available and turned on for a device, before the first call compares them."""
    return device.type in DEVICES and not _failed and os.environ.get('ISDA_SEG_KERNELS') != '0' and \
        _installed() is not None


@cache
def _installed() -> Any:
    try:
        return import_module('isda_seg.core.kernels.autograd')
    except ImportError:  # no Triton on this system
        return None


@cache
def _works(device: torch.device, dtype: torch.dtype, channels_last: bool) -> bool:
    """Return whether loss and gradients of a small map equal those of PyTorch. Synchronises."""
    logging.getLogger(__name__).info(COMPILES)
    return device.type == 'meta' or succeeds(lambda: _installed().compare_small(device, dtype, channels_last))


def succeeds(comparison: Callable[[], None]) -> bool:
    """Return whether a comparison raises no error; after one, PyTorch's operators are used, with a warning.

    If it needs too much memory, it is tried again at the next call.
    """
    try:
        with torch.autograd.graph.saved_tensors_hooks(lambda saved: saved, lambda saved: saved):  # not the caller's
            comparison()
    except torch.cuda.OutOfMemoryError:
        return False
    except Exception as error:  # of the compiler or the driver, or a difference
        if not _failed:
            warnings.warn('the GPU kernels of ISDA failed. It continues with PyTorch operators, which need more memory '
                          f'and time: {type(error).__name__}: {str(error)[:200]}', stacklevel=2)
        _failed.append(error)
    return not _failed


def require_close(found: Iterable[Tensor], expected: Iterable[Tensor], dtype: torch.dtype) -> None:
    """Raise ArithmeticError if a result differs from that of PyTorch by more than the rounding of ``dtype``."""
    for a, b in zip(found, expected, strict=True):
        a, b = (tensor.detach().float() if tensor.dtype.itemsize < 4 else tensor.detach() for tensor in (a, b))
        error, scale = (a - b).abs_().max(), torch.linalg.vector_norm(b.to(torch.promote_types(b.dtype, torch.float)),
                                                                      torch.inf)
        if bool(scale.isfinite()) and not error <= (1e-3 if dtype == torch.float32 else 2e-2) * scale:
            raise ArithmeticError(f'a result differs from that of PyTorch by {float(error):.3g}')
