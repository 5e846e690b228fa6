"""Functions of torch that some supported versions lack or keep private."""
import re
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

OLDEST = (2, 1)


def release(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version, such as (2, 13) for '2.13.0+cpu'."""
    major, minor = re.findall(r'\d+', version)[:2]
    return int(major), int(minor)


def require_torch(version: str) -> None:
    """Raise ImportError for a version of torch that is too old."""
    if release(version) < OLDEST:
        raise ImportError(f"isda_seg needs torch {'.'.join(map(str, OLDEST))} or newer, found {version}: "
                          f"pip install 'torch>={'.'.join(map(str, OLDEST))}'")


require_torch(torch.__version__)


def changed_in_place(*tensors: Tensor) -> None:
    """Tell autograd that kernels have changed the tensors, if this version of torch has a function for it."""
    increment = getattr(torch.autograd.graph, 'increment_version', None)
    if increment is not None:
        for tensor in tensors:
            increment(tensor)


def supports_autocast(device_type: str) -> bool:
    """Return whether autocast supports the device type. ``torch.amp.is_autocast_available`` exists since torch 2.4."""
    if hasattr(torch.amp, 'is_autocast_available'):
        return torch.amp.is_autocast_available(device_type)
    try:
        torch.autocast(device_type, enabled=False)
    except RuntimeError:
        return False
    return True


def partial_sum() -> Any:
    """Return the DTensor placement of summands, ``Partial()``.

    Torch 2.4, the first version with ``fully_shard``, has it in a private module. The modules are slow to import and
    missing in some builds of torch.
    """
    public = import_module('torch.distributed.tensor')
    return (public if hasattr(public, 'Partial') else import_module('torch.distributed._tensor')).Partial()


def in_backward() -> bool:
    """Return whether this thread runs a backward pass. Torch has no public function for this."""
    return bool(torch._C._current_graph_task_id() != -1)
