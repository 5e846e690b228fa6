"""Columns of the result tables of each task, and the Result lines of its configs."""
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from isda_seg.paper.result_tables import NOT_RUN, mean_sd, runs_sentence
from isda_seg.paper.tables import PROTOCOLS

Runs = Sequence[dict[str, Any]]  # results of one config, one per seed
Cells = Mapping[str, Callable[[Runs], str]]  # functions of the cells, by title


class Columns(NamedTuple):
    """Columns of a task."""
    cells: Cells                     # '' if it was not measured
    in_line: Sequence[str]           # titles of the Result line
    number: str = '{title} {value}'  # how that line writes a cell
    before: str = ''

    def docstring_line(self, runs: Runs | None) -> str:
        """Return the Result line of a config."""
        if not runs:
            return NOT_RUN
        values = {title: self.cells[title](runs) for title in self.in_line}
        numbers = ', '.join(self.number.format(title=title, value=value) for title, value in values.items() if value)
        return f'{self.before}{numbers} ({runs_sentence(runs)})'


def error(runs: Runs, name: str) -> str:
    """Average a test error in per cent over the runs, selected by name or prefix."""
    metrics = [run['protocols']['single'] for run in runs]
    exact = name in metrics[0]
    return mean_sd([value for run in metrics for key, value in run.items()
                    if (key == name if exact else key.startswith(name))])


def miou(runs: Runs, protocol: str) -> str:
    """Average mIoU over the runs."""
    return mean_sd([run['protocols'][protocol]['mIoU'] for run in runs if protocol in run['protocols']])


def mean_ap(runs: Runs, name: str) -> str:
    """Average a box or mask mAP over the runs."""
    found = [run['protocols']['single'].get(name) for run in runs]
    return '' if None in found else mean_sd(found)


def backbone(runs: Runs) -> str:
    """Return name and hash prefix of the initial backbone checkpoints."""
    records = [run.get('backbone') or dict(checkpoint='random') for run in runs]
    return ', '.join(dict.fromkeys(
        record['checkpoint'] + (f' ({record["sha256"][:12]})' if 'sha256' in record else '') for record in records))


ERRORS = {'top-1 error': 'top1_error', 'mean of the last epochs': 'top1_error_last', 'top-5 error': 'top5_error'}
MAPS = {'box mAP': 'bbox_mAP', 'box AP50': 'bbox_mAP_50', 'box AP75': 'bbox_mAP_75', 'mask mAP': 'segm_mAP',
        'mask AP50': 'segm_mAP_50', 'mask AP75': 'segm_mAP_75'}
CLASSIFICATION = Columns({title: partial(error, name=name) for title, name in ERRORS.items()}, list(ERRORS),
                         '{value} % {title}')
SEGMENTATION = Columns({protocol: partial(miou, protocol=protocol) for protocol in PROTOCOLS}, PROTOCOLS,
                       before='mIoU ')
DETECTION = Columns({**{title: partial(mean_ap, name=name) for title, name in MAPS.items()}, 'backbone': backbone},
                    ('box mAP', 'mask mAP'))
