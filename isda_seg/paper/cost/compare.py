"""Time and peak memory of cross-entropy, ISDA and the literal form at one tensor size."""
from collections.abc import Callable, Mapping
from math import ceil
from statistics import median
from typing import Any, TypedDict

from isda_seg.criterion import RESOLUTIONS
from isda_seg.paper.cost.compared_losses import baseline_loss, forward_backward, isda_loss, literal_loss
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import Quartiles, alternate, differences, quartiles, relative
from isda_seg.paper.cost.workload import Workload, cut_slice, make_tensors

DEVICE_ROUNDS = 7


class Measurement(TypedDict):
    """Time and memory of a step, as in result files."""
    seconds: Quartiles
    samples: list[float]  # seconds of each round
    device_seconds: float | None  # of a GPU alone; None on a CPU
    peak_bytes: int


def compare_losses(workload: Workload, meter: Meter, rounds: int, literal_bytes: float,
                   bandwidth: float) -> dict[str, Any]:
    """Measure all losses at one size, in alternation.

    If one N x C x A tensor is larger than ``literal_bytes``, the literal form and cross-entropy run on a slice of the
    tensors, and the extra cost is scaled up to the full size. ``bandwidth`` in bytes per second gives the lower bound
    on the time.

    Returns:
        The size, the samples of every loss, and one entry in ``rows`` per resolution.
    """
    tensors = make_tensors(workload, meter.device)
    part, factor = cut_slice(tensors, ceil(workload.literal_bytes / literal_bytes))
    resolutions = RESOLUTIONS if workload.pixels else RESOLUTIONS[:1]
    steps = {'plain': forward_backward(baseline_loss(tensors), tensors)}
    for resolution in resolutions:
        steps[f'isda {resolution}'] = forward_backward(isda_loss(tensors, workload, resolution), tensors)
    if factor > 1:
        steps['plain on the slice'] = forward_backward(baseline_loss(part), part)
    steps['literal'] = forward_backward(literal_loss(part, workload), part)
    measured = measure(steps, meter, rounds)
    baseline = measured['plain on the slice' if factor > 1 else 'plain']
    literal_bytes_extra = measured['literal']['peak_bytes'] - baseline['peak_bytes']
    literal_seconds = quartiles([factor * s for s in differences(measured['literal']['samples'], baseline['samples'])])
    rows = []
    for resolution in resolutions:
        extra = extra_cost(measured[f'isda {resolution}'], measured['plain'])
        seconds = extra['seconds']['median']
        rows.append(dict(
            resolution=resolution, extra=extra, of_logits=extra['bytes'] / workload.logits_bytes,
            literal_times=literal_seconds['median'] / seconds if seconds > 0 else None,
            over_floor=seconds * bandwidth / workload.least_bytes))
    return dict(workload.describe(), measured=measured, rows=rows,
                literal_extra=dict(slice=1 / factor, seconds=literal_seconds, bytes=factor * literal_bytes_extra),
                floor=dict(bytes=workload.least_bytes, seconds=workload.least_bytes / bandwidth))


def measure(steps: Mapping[str, Callable[[], object]], meter: Meter, rounds: int) -> dict[str, Measurement]:
    """Time the steps in alternation, then measure the peak memory of each."""
    samples = alternate(steps, rounds, meter.seconds)
    return {name: Measurement(seconds=quartiles(samples[name]), samples=samples[name],
                              device_seconds=device_seconds(step, meter), peak_bytes=meter.peak_bytes(step))
            for name, step in steps.items()}


def device_seconds(step: Callable[[], object], meter: Meter) -> float | None:
    """Return the median of ``Meter.device_seconds``; None on a CPU."""
    return median(meter.device_seconds(step) for _ in range(DEVICE_ROUNDS)) if meter.on_gpu else None


def extra_cost(isda: Measurement, baseline: Measurement) -> dict[str, Any]:
    """Return the extra time of ISDA within each round and the difference in peak memory."""
    return dict(seconds=quartiles(differences(isda['samples'], baseline['samples'])),
                share=quartiles(relative(isda['samples'], baseline['samples'])),
                bytes=isda['peak_bytes'] - baseline['peak_bytes'])
