"""Float32 that is float32: no autocast, no TF32 or bfloat16 inside matrix products."""
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# torch >= 2.9 keeps one setting per backend and refuses to tell the old common one once these were used.
BACKENDS = [backend.matmul for backend in (torch.backends.cuda, torch.backends.mkldnn)
            if hasattr(getattr(backend, 'matmul', None), 'fp32_precision')]


@contextmanager
def full_precision(device_type: str) -> Iterator[None]:
    """Within it, products on ``device_type`` keep their inputs' precision; the user's settings return afterwards."""
    before = [backend.fp32_precision for backend in BACKENDS]
    common = None if BACKENDS else torch.get_float32_matmul_precision()
    for backend in BACKENDS:
        backend.fp32_precision = 'ieee'
    if common is not None:
        torch.set_float32_matmul_precision('highest')
    try:
        with torch.autocast(device_type, enabled=False):
            yield
    finally:
        for backend, setting in zip(BACKENDS, before, strict=True):
            backend.fp32_precision = setting
        if common is not None:
            torch.set_float32_matmul_precision(common)
