"""Cost sentence of the README."""
from typing import Any

from isda_seg.paper.cost.formatting import duration
from isda_seg.paper.cost.report import network, newest_of_devices
from isda_seg.paper.result_tables import NOT_RUN

DEVICES = dict(cuda='GPU', cpu='CPU')  # in order of preference


def cost_line(results: list[dict[str, Any]], link: str) -> str:
    """Describe the newest measurement of a complete training step, on a GPU if available.

    Args:
        results: results of the cost benchmarks.
        link: link to all measurements.
    """
    newest = newest_of_devices([result for result in results if 'step' in result])
    for device, name in DEVICES.items():
        if device in newest:
            step = newest[device]['step']
            return (f'Cost: a training step of `{network(step["config"])}` takes '
                    f'{duration(step["extra"]["share"]["median"])} on a {name} '
                    f'([time and memory, also of the loss alone]({link})); inference costs nothing extra.')
    return NOT_RUN
