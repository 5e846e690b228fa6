"""Lower bound on the extra time: the bytes that must be read and written, divided by the copy bandwidth."""
from math import prod
from statistics import median

import torch

from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.workload import FLOAT, Workload

COPIED = 1 << 28  # bytes, larger than any cache
TOY_COPIED = 1 << 20
COPIES = 11


def bandwidth(meter: Meter, size: int = COPIED) -> float:
    """Return the copy bandwidth in bytes read plus written per second, the median of several copies."""
    source = torch.ones(size // FLOAT, device=meter.device)
    target = torch.zeros_like(source)
    return 2 * size / median([meter.seconds(lambda: target.copy_(source)) for _ in range(COPIES)])


def floor_bytes(workload: Workload) -> int:
    """Count the bytes of reading the features, writing the augmented logits and reading their gradient, once each."""
    return FLOAT * prod(workload.features) + 2 * workload.logits_bytes
