"""Float32 that is float32: no autocast, no TF32 or bfloat16 inside matrix products."""
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import torch

# Parents before children: a level at 'none' follows its parent and reads as what the parent is.
LEVELS = [('generic', 'all'), ('cuda', 'all'), ('cuda', 'matmul'), ('mkldnn', 'all'), ('mkldnn', 'matmul')]


class Setting(NamedTuple):
    """One of torch's settings of the precision of matrix products, for the whole process."""
    read: Callable[[], str]
    write: Callable[[str], object]
    full: tuple[str, ...]  # the values that leave float32 alone


def matmul_settings() -> list[Setting]:
    """All of them: a tree of levels since torch 2.9, a single one before."""
    if hasattr(torch._C, '_get_fp32_precision_getter'):  # torch.backends.mkldnn.fp32_precision writes the generic level
        return [Setting(partial(torch._C._get_fp32_precision_getter, *level),
                        partial(torch._C._set_fp32_precision_setter, *level), ('ieee', 'none')) for level in LEVELS]
    return [Setting(torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, ('highest',))]


class FullPrecision:
    """Raises lowered settings for the first thread that enters, gives them back after the last one, in any order."""

    def __init__(self, settings: list[Setting]) -> None:
        self._settings = settings
        self._lock = Lock()
        self._inside = 0
        self._lowered: list[tuple[Setting, str]] = []

    def enter(self) -> None:
        """One more thread is inside."""
        with self._lock:
            if self._inside == 0:
                self._lowered = list(self._raise())
            self._inside += 1

    def leave(self) -> None:
        """One less."""
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for setting, value in self._lowered:
                    setting.write(value)

    def _raise(self) -> Iterator[tuple[Setting, str]]:
        """Once all its parents are full, a level that still reads as lowered was lowered itself: nothing inherited."""
        for setting in self._settings:
            value = setting.read()
            if value not in setting.full:
                setting.write(setting.full[0])
                yield setting, value


PROCESS = FullPrecision(matmul_settings())


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Within it, products on ``device_type`` keep their inputs' precision; the user's settings return afterwards.

    Autocast is off in this thread only. The other settings are torch's for the whole process: they stay raised until
    the last thread has left, autograd's threads included.
    """
    PROCESS.enter()
    try:
        with no_autocast(device_type):
            yield
    finally:
        PROCESS.leave()


def no_autocast(device_type: str) -> AbstractContextManager[Any]:
    """Autocast off in this thread, on a device that has any."""
    return torch.autocast(device_type, enabled=False) if torch.amp.is_autocast_available(device_type) else nullcontext()
