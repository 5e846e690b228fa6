"""Time and peak memory of cross-entropy, ISDA and the literal form at one tensor size."""
from collections.abc import Callable
from math import ceil
from typing import Any

from isda_seg.criterion import RESOLUTIONS
from isda_seg.paper.cost.compared_losses import both_ways, isda_loss, literal_loss, plain_loss
from isda_seg.paper.cost.floor import floor_bytes
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import alternate, differences, relative, spread
from isda_seg.paper.cost.workload import Workload, first_part, make_tensors


def compare_losses(workload: Workload, meter: Meter, rounds: int, literal_bytes: float,
                   bandwidth: float) -> dict[str, Any]:
    """Measure all losses at one size, in alternation.

    Args:
        workload: the tensor sizes.
        meter: measures on the device.
        rounds: number of timed rounds.
        literal_bytes: if one N x C x A tensor is larger than this, the literal form and cross-entropy run on a slice
            of the tensors, and the extra cost is scaled up to the full size.
        bandwidth: copy bandwidth in bytes per second, for the lower bound on the time.

    Returns:
        The size, the samples of every loss, and one entry in ``rows`` per resolution.
    """
    tensors = make_tensors(workload, meter.device)
    cut, times = first_part(tensors, ceil(workload.literal_bytes / literal_bytes))
    resolutions = RESOLUTIONS if workload.pixels else RESOLUTIONS[:1]
    steps = {'plain': both_ways(plain_loss(tensors), tensors)}
    for resolution in resolutions:
        steps[f'isda {resolution}'] = both_ways(isda_loss(tensors, workload, resolution), tensors)
    if times > 1:
        steps['plain on the slice'] = both_ways(plain_loss(cut), cut)
    steps['literal'] = both_ways(literal_loss(cut, workload), cut)
    measured = measure(steps, meter, rounds)
    against = measured['plain on the slice' if times > 1 else 'plain']
    literal = dict(slice=1 / times, seconds=spread([times * s for s in differences(
        measured['literal']['samples'], against['samples'])]),
        bytes=times * (measured['literal']['peak_bytes'] - against['peak_bytes']))
    least = floor_bytes(workload)
    rows = []
    for resolution in resolutions:
        extra = extra_cost(measured[f'isda {resolution}'], measured['plain'])
        rows.append(dict(
            resolution=resolution, extra=extra, of_logits=extra['bytes'] / workload.logits_bytes,
            literal_times=quotient(literal['seconds']['median'], extra['seconds']['median']),
            over_floor=extra['seconds']['median'] * bandwidth / least))
    return dict(workload.describe(), measured=measured, literal_extra=literal, rows=rows,
                floor=dict(bytes=least, seconds=least / bandwidth))


def measure(steps: dict[str, Callable[[], Any]], meter: Meter, rounds: int) -> dict[str, dict[str, Any]]:
    """Time the steps in alternation, then measure the peak memory of each."""
    samples = alternate(steps, rounds, meter.seconds)
    return {name: dict(seconds=spread(samples[name]), samples=samples[name], peak_bytes=meter.peak_bytes(step))
            for name, step in steps.items()}


def extra_cost(ours: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Return the extra time of ``ours`` over ``plain`` within each round, and the difference in peak memory."""
    return dict(seconds=spread(differences(ours['samples'], plain['samples'])),
                share=spread(relative(ours['samples'], plain['samples'])),
                bytes=ours['peak_bytes'] - plain['peak_bytes'])


def quotient(large: float, small: float) -> float | None:
    """Return large / small, or None if ``small`` is not measurably positive."""
    return large / small if small > 0 else None
