"""Launches keep compiled kernels, as long as these fit the arguments."""
from types import SimpleNamespace

import pytest
import torch

pytestmark = pytest.mark.triton


class Function:
    """A kernel of a pointer, a free number, a fixed integer and a constant; it notes what it compiles and launches."""

    def __init__(self, specialised=False):
        self.compiled, self.launched = [], []
        self.params = [SimpleNamespace(do_not_specialize=not specialised)] * 4

    def __getitem__(self, grid):
        def compile_and_launch(*args, num_warps):
            self.compiled.append(args[1:])
            self.launched.append((grid, args[1:]))
            return Compiled(self)

        return compile_and_launch


class Compiled:
    def __init__(self, function):
        self.function = function

    def __getitem__(self, grid):
        return lambda *args: self.function.launched.append((grid, args[1:]))


def launches(*calls, function=None):
    """Compiled and launched arguments of calls, each a tensor, a free number, a fixed integer and a constant."""
    from isda_seg.core.kernels.launch import Kernel  # needs Triton
    function = function or Function()
    kernel = Kernel(function)
    for tensor, free, fixed, constant in calls:
        kernel((1, 1, 1), 4, (tensor,), (free,), (fixed,), (constant,))
    return function.compiled, [args for _, args in function.launched]


TENSOR = torch.zeros(8)


def test_a_free_number_takes_the_kept_kernel_with_its_own_value():
    assert launches((TENSOR, 3, 5, True), (TENSOR, 16, 5, True)) == ([(3, 5, True)], [(3, 5, True), (16, 5, True)])


@pytest.mark.parametrize('other', [(TENSOR, 3, 6, True), (TENSOR, 3, 5, False), (TENSOR.double(), 3, 5, True)],
                         ids=['stride', 'constant', 'dtype'])
def test_another_stride_constant_or_dtype_is_compiled(other):
    assert len(launches((TENSOR, 3, 5, True), other, other)[0]) == 2


@pytest.mark.parametrize('call', [(TENSOR[1:], 3, 5, True), (TENSOR, 2 ** 31, 5, True)], ids=['pointer', 'number'])
def test_misaligned_pointers_and_large_numbers_are_left_to_triton(call):
    assert len(launches(call, call)[0]) == 2


def test_a_free_number_that_the_kernel_is_compiled_for_is_an_error():
    function = Function(specialised=True)
    with pytest.raises(AssertionError, match='Function'):
        launches((TENSOR, 3, 5, True), function=function)
    assert len(function.compiled) == 1
