"""Functions that torch.compile calls as they are."""
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Parameters = ParamSpec('Parameters')
Result = TypeVar('Result')


def opaque(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The function, which breaks a compiled graph and is never part of one.

    What changes from step to step in the loss are Python's numbers, the strength and what a mean divides by: a compiled
    graph would keep those of an earlier step, in gradients too, without a word. The compiler is loaded at the first
    call, as an optimizer loads it, not at import.
    """
    hidden: list[Callable[Parameters, Result]] = []

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if not hidden:
            hidden.append(torch.compiler.disable(function))  # type: ignore[no-untyped-call]
        return hidden[0](*args, **kwargs)

    return call
