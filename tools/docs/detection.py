"""Columns of detection results: box and mask mAP in per cent, and the initial backbone checkpoint."""
from collections.abc import Sequence
from functools import partial
from typing import Any

from isda_seg.paper.result_tables import NOT_RUN, mean_sd, runs_sentence


def value(results: Sequence[dict[str, Any]], name: str) -> str:
    """Average a measure over the runs; '' if it was not measured."""
    found = [result['protocols']['single'].get(name) for result in results]
    return '' if None in found else mean_sd(found)


def backbone(results: Sequence[dict[str, Any]]) -> str:
    """Return name and hash prefix of the initial backbone checkpoints."""
    records = [result.get('backbone') or dict(checkpoint='random') for result in results]
    return ', '.join(dict.fromkeys(
        record['checkpoint'] + (f' ({record["sha256"][:12]})' if 'sha256' in record else '') for record in records))


MAPS = {title: partial(value, name=name) for title, name in {
    'box mAP': 'bbox_mAP', 'box AP50': 'bbox_mAP_50', 'box AP75': 'bbox_mAP_75', 'mask mAP': 'segm_mAP',
    'mask AP50': 'segm_mAP_50', 'mask AP75': 'segm_mAP_75'}.items()}
COLUMNS = {**MAPS, 'backbone': backbone}


def docstring_line(results: Sequence[dict[str, Any]] | None) -> str:
    """Return the Result line of a config."""
    if not results:
        return NOT_RUN
    numbers = ', '.join(f'{title} {MAPS[title](results)}' for title in ('box mAP', 'mask mAP')
                        if MAPS[title](results))
    return f'{numbers} ({runs_sentence(results)})'
