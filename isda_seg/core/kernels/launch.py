"""Launches of Triton kernels. For meta tensors they are operators of torch, so that a dispatch mode counts them."""
from collections.abc import Callable
from contextlib import nullcontext
from functools import reduce, wraps
from operator import attrgetter, or_
from typing import Any

import torch
import triton
from torch import Tensor
from torch.library import Library

from isda_seg.core.ops.torch_versions import release

LIBRARY = Library('isda_seg', 'DEF')
DTYPE = attrgetter('dtype')
SAME = nullcontext()
ALIGNMENT = 16    # bytes of pointers that Triton compiles wide loads for
LARGEST = 1 << 31
HIP = torch.version.hip is not None  # AMD
KEEPS = release(triton.__version__) >= (3, 3)  # whether a compiled kernel takes the arguments of its function


def operator(schema: str, shapes: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register an operator for tensors without values; ``shapes`` allocates its results.

    Other tensors do not pass PyTorch's dispatcher, which takes more CPU time than a launch.
    """
    def register(launch: Callable[..., Any]) -> Callable[..., Any]:
        name = schema.partition('(')[0]
        LIBRARY.define(schema)
        LIBRARY.impl(name, shapes, 'Meta')
        dispatched = getattr(torch.ops.isda_seg, name).default

        @wraps(launch)
        def run(*args: Any) -> Any:
            if args[0].is_meta:
                return dispatched(*args)
            device = args[0].get_device()  # Triton launches on the current device
            with SAME if device < 0 or device == torch.cuda.current_device() else torch.cuda.device(device):
                results = shapes(*args)
                launch(results, *args)
            return results

        return run
    return register


class Kernel:
    """A Triton kernel that keeps its compiled forms, because Triton's search for one takes longer than a launch.

    The parameters of the kernel are pointers, then numbers that it is not compiled for (``do_not_specialize``), then
    integers such as strides that it is, then constants.
    """

    kept: dict[tuple[Any, ...], Any] = {}  # of all kernels

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, grid: tuple[int, int, int], warps: int, tensors: tuple[Tensor, ...], free: tuple[float, ...],
                 fixed: tuple[int, ...], constants: tuple[Any, ...]) -> None:
        """Launch the kernel on the current stream."""
        args = *tensors, *free, *fixed, *constants
        key = self, tensors[0].get_device(), warps, fixed, constants, *map(DTYPE, tensors), *map(type, free)
        usual = reduce(or_, map(Tensor.data_ptr, tensors)) % ALIGNMENT == 0 and max(free, default=0) < LARGEST
        if HIP:  # its kernels are compiled for the size of the storage
            usual = usual and max(tensor.untyped_storage().nbytes() for tensor in tensors) < LARGEST
        if usual and key in self.kept:
            self.kept[key][grid](*args)
            return
        compiled = self.function[grid](*args, num_warps=warps)
        if usual and KEEPS and compiled is not None:  # None from the interpreter
            parameters = self.function.params[len(tensors):]
            assert all(parameter.do_not_specialize or isinstance(value, float)
                       for parameter, value in zip(parameters, free, strict=False)), self.function
            self.kept[key] = compiled
