"""Scaling of the cost with N, C and A: the slope of log2 cost over log2 size."""
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from isda_seg.paper.cost.compare import Measurement, measure
from isda_seg.paper.cost.compared_losses import baseline_loss, forward_backward, isda_loss
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.profile import components
from isda_seg.paper.cost.workload import Workload, make_tensors

BASE = Workload('growth', 19, (2, 128, 49, 49), (2, 385, 385), align_corners=True)
TOY_BASE = Workload('growth', 4, (1, 4, 5, 5), (1, 33, 33), align_corners=True)
FACTORS = (1, 2, 4, 8)
AXES = ('N', 'C', 'A')


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """Fit the slope of log2 cost over log2 size; None if a cost is not positive."""
    if min(costs) <= 0:
        return None
    return float(np.polyfit(np.log2(sizes), np.log2(costs), 1)[0])


def enlarged(base: Workload, axis: str, factor: int) -> Workload:
    """Return the workload with N (images and labels), C or A multiplied by ``factor``."""
    images, channels, *size = base.features
    if axis == 'N':
        return replace(base, features=(factor * images, channels, *size), labels=(factor * images, *base.labels[1:]))
    if axis == 'C':
        return replace(base, classes=factor * base.classes)
    return replace(base, features=(images, factor * channels, *size))


def growth(axis: str, base: Workload, meter: Meter, rounds: int) -> dict[str, Any]:
    """Measure time and memory at each size and fit the scaling exponents.

    The difference between ISDA and cross-entropy can be below the noise, or negative when one fused pass computes both.
    The exponents are therefore fitted to statistics and table alone, and to each complete loss.
    """
    sizes: list[int] = []
    measurements: list[dict[str, Measurement]] = []
    for factor in FACTORS:
        workload = enlarged(base, axis, factor)
        tensors = make_tensors(workload, meter.device)
        parts = components(tensors, workload)

        def statistics_and_table(parts: dict[str, Callable[[], object]] = parts) -> None:
            parts['statistics']()
            parts['table']()

        measurements.append(measure({
            'beside': statistics_and_table, 'plain': forward_backward(baseline_loss(tensors), tensors),
            'isda': forward_backward(isda_loss(tensors, workload), tensors)}, meter, rounds))
        sizes.append({'N': workload.samples, 'C': workload.classes, 'A': workload.features[1]}[axis])
    points = [dict(size=size, measured=measured) for size, measured in zip(sizes, measurements, strict=True)]
    return dict(axis=axis, base=base.describe(), points=points, exponents={
        name: dict(seconds=exponent(sizes, [measured[name]['seconds']['median'] for measured in measurements]),
                   bytes=exponent(sizes, [measured[name]['peak_bytes'] for measured in measurements]))
        for name in ('beside', 'plain', 'isda')})
