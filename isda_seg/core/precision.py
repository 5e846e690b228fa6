"""Float32 that is float32: no autocast, no TF32 or bfloat16 inside matrix products."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Within it, products on ``device_type`` keep their inputs' precision; the user's settings return afterwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
