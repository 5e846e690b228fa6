"""Cost sentences of the README."""
from typing import Any

from isda_seg.paper.cost.formatting import duration, factor
from isda_seg.paper.cost.report import network, newest_of_devices
from isda_seg.paper.result_tables import NOT_RUN

KERNELS_SINCE = '2026-11-30'  # when Triton kernels replaced PyTorch operators on a GPU
DEVICES = ('cuda', 'cpu')  # in order of preference


def cost_line(results: list[dict[str, Any]], link: str) -> str:
    """Describe the newest measurement of a complete training step and of the loss, on a GPU if available.

    Args:
        results: results of the cost benchmarks.
        link: link to all measurements.
    """
    newest = newest_of_devices([result for result in results if 'step' in result])
    for device in DEVICES:
        if device in newest:
            step, loss = newest[device]['step'], newest[device]['loss'][0]
            hardware = ' '.join(newest[device]['hardware'].removeprefix('1 x ').split()[:2])
            median = {form: measured['seconds']['median'] for form, measured in loss['measured'].items()}
            times = factor(median['isda label'] / median['plain'])
            return (f'Cost: with ISDA, a float32 training step of `{network(step["config"])}` takes '
                    f'{duration(step["extra"]["share"]["median"])} ({hardware}{operators(newest[device])}). The loss '
                    f'alone takes {times} as long as cross-entropy, so the share is larger for small networks and in '
                    f'mixed precision ([time and memory]({link})). Inference costs nothing extra.')
    return NOT_RUN


def operators(result: dict[str, Any]) -> str:
    """Return a note for measurements on a GPU from before the Triton kernels."""
    old = result['device'] == 'cuda' and result['date'][:10] < KERNELS_SINCE
    return ', before the Triton kernels' if old else ''
