"""Full float32 precision: no autocast, no TF32 or bfloat16 in matrix products."""
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isda_seg.core.ops.torch_versions import supports_autocast

# Parents before children: a level at 'none' inherits the value of its parent and reads as that value.
LEVELS = [('generic', 'all'), ('cuda', 'all'), ('cuda', 'matmul'), ('mkldnn', 'all'), ('mkldnn', 'matmul')]


class Setting(NamedTuple):
    """A process-wide torch setting of the precision of matrix products."""
    read: Callable[[], str]
    write: Callable[[str], object]
    full: tuple[str, ...]  # the values with full float32 precision


def matmul_settings() -> list[Setting]:
    """Return all settings: a tree of levels since torch 2.9, a single setting before."""
    if hasattr(torch._C, '_get_fp32_precision_getter'):  # torch.backends.mkldnn.fp32_precision writes the generic level
        return [Setting(partial(torch._C._get_fp32_precision_getter, *level),
                        partial(torch._C._set_fp32_precision_setter, *level), ('ieee', 'none')) for level in LEVELS]
    return [Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, ('highest',))]


class FullPrecision:
    """Counted lock on full precision: the first thread raises lowered settings, the last thread restores them."""

    def __init__(self, settings: list[Setting]) -> None:
        self._settings = settings
        self._lock = Lock()
        self._inside = 0
        self._lowered: list[tuple[Setting, str]] = []

    def enter(self) -> None:
        """Count one more thread, and raise the settings for the first one."""
        with self._lock:
            if self._inside == 0:
                self._lowered = list(self._raise())
            self._inside += 1

    def leave(self) -> None:
        """Count one thread less, and restore the settings after the last one."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for setting, value in self._lowered:
                    setting.write(value)

    def _raise(self) -> Iterator[tuple[Setting, str]]:
        """Raise each lowered setting and yield it with its old value.

        Parents come first, so a level that still reads as lowered does not inherit that value.
        """
        for setting in self._settings:
            value = setting.read()
            if value not in setting.full:
                setting.write(setting.full[0])
                yield setting, value


PROCESS = FullPrecision(matmul_settings())


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Compute matrix products on ``device_type`` in the precision of their inputs inside this context.

    Autocast is disabled in the current thread only. The other settings belong to the process. They stay raised until
    the last thread, including threads of autograd, leaves the context, and are then restored.
    """
    PROCESS.enter()
    try:
        with no_autocast(device_type):
            yield
    finally:
        PROCESS.leave()


def no_autocast(device_type: str) -> AbstractContextManager[Any]:
    """Return a context that disables autocast in the current thread, if the device type supports autocast."""
    return torch.autocast(device_type, enabled=False) if supports_autocast(device_type) else nullcontext()


def at_least_float32(*tensors: Tensor) -> torch.dtype:
    """Return the promoted dtype of the tensors, and float32 instead of a half-precision or integer dtype."""
    dtype = torch.float32
    for tensor in tensors:
        dtype = torch.promote_types(dtype, tensor.dtype)
    return dtype
