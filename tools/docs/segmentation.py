"""Columns of segmentation results: mIoU of every protocol, in per cent."""
from collections.abc import Sequence
from functools import partial
from typing import Any

from isda_seg.paper.result_tables import NOT_RUN, mean_sd, runs_sentence


def miou(results: Sequence[dict[str, Any]], protocol: str) -> str:
    """Average mIoU over the runs; '' if the protocol was not run."""
    return mean_sd([result['protocols'][protocol]['mIoU'] for result in results if protocol in result['protocols']])


COLUMNS = {protocol: partial(miou, protocol=protocol) for protocol in ('single', 'ms', 'ms-flip')}


def docstring_line(results: Sequence[dict[str, Any]] | None) -> str:
    """Return the Result line of a config."""
    if not results:
        return NOT_RUN
    values = ', '.join(f'{title} {cell(results)}' for title, cell in COLUMNS.items() if cell(results))
    return f'mIoU {values} ({runs_sentence(results)})'
