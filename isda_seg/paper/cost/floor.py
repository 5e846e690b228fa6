"""The least time the extra work can take on this machine: what must be read and written, over the copy bandwidth."""
from math import prod
from statistics import median

import torch

from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.workload import FLOAT, Workload

COPIED = 1 << 28  # bytes, beyond any cache
TOY_COPIED = 1 << 20
COPIES = 11


def bandwidth(meter: Meter, size: int = COPIED) -> float:
    """Bytes read plus bytes written per second of a plain copy, the median of several."""
    source = torch.ones(size // FLOAT, device=meter.device)
    target = torch.zeros_like(source)
    return 2 * size / median([meter.seconds(lambda: target.copy_(source)) for _ in range(COPIES)])


def floor_bytes(workload: Workload) -> int:
    """Features read once, augmented logits written once, their gradient read once."""
    return FLOAT * prod(workload.features) + 2 * workload.logits_bytes
