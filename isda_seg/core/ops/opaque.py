"""Functions excluded from torch.compile graphs."""
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

Parameters = ParamSpec('Parameters')
Result = TypeVar('Result')


def opaque(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Exclude ``function`` from torch.compile graphs: each call is a graph break.

    The strength and the divisor of a mean are Python numbers that change every step. A compiled graph would silently
    keep the numbers of an earlier step. The compiler is imported at the first call, not at import time.
    """
    hidden: list[Callable[Parameters, Result]] = []

    @wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if not hidden:
            hidden.append(torch.compiler.disable(function))  # type: ignore[no-untyped-call]
        return hidden[0](*args, **kwargs)

    return call
