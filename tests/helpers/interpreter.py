"""Run the GPU kernels on a CPU, by Triton's interpreter: tensors of the CPU are treated as those of a GPU."""
from contextlib import contextmanager

from isda_seg.core import kernels
from isda_seg.core.kernels import tiles
from isda_seg.core.ops import device


@contextmanager
def kernels_on_a_cpu(programs=5, pixels=32, classes=4):
    """Inside, the code path of a GPU; small tiles, so that small inputs have several tiles and programs."""
    def small(images, size, number, channels_last, weighted):
        return tiles.LossTiles(pixels, 16 if channels_last else classes, 4, tiles.share(images, size, pixels, programs))

    before = device.CPU_TYPES, kernels.DEVICES, tiles.LossTiles.of, list(kernels._failed)
    device.CPU_TYPES, kernels.DEVICES, tiles.LossTiles.of = (), {'cpu'}, small
    kernels._works.cache_clear()
    kernels._failed.clear()
    try:
        yield
    finally:
        device.CPU_TYPES, kernels.DEVICES, tiles.LossTiles.of, kernels._failed[:] = before
