"""What reports call the measures of ``paired.measures``."""
from typing import NamedTuple

from isda_seg.analysis.series.paired import MAPS, SECONDARY, TRAINING, lower_is_better


class Wording(NamedTuple):
    """The words of one kind of measure."""
    measure: str           # in a sentence: points of ...
    heading: str           # of a table
    arms: tuple[str, str]  # its columns: the baseline and what is compared with it
    axis: str              # of the figure


def wording(measure: str) -> Wording:
    """How reports speak of a measure."""
    if measure in MAPS:
        return Wording(MAPS[measure], "COCO's mAP in per cent", ('baseline', 'this arm'),
                       'mAP, arm minus baseline')
    if lower_is_better(measure):
        return Wording(measure, 'test error in per cent, lower is better: a negative difference is a gain',
                       ('plain', 'ISDA'), 'test error (lower is better), ISDA minus plain')
    return Wording('mIoU', 'mIoU and IoU in per cent', ('plain', 'ISDA'), 'mIoU, ISDA minus plain')


ROWS = {**MAPS, 'aAcc': 'pixel accuracy', 'nll': 'negative log-likelihood', 'ece': 'expected calibration error',
        TRAINING: 'training accuracy'}


def row_name(measure: str) -> str:
    """How a table calls a measure."""
    if measure in ROWS or measure.startswith(('top1_error', 'mIoU_last')):
        return ROWS.get(measure, measure)
    return f'mIoU, {measure}'


def decimals(measure: str) -> int:
    """After the point: two of what is in per cent."""
    return 3 if measure == 'nll' else 2


def is_chief(measure: str) -> bool:
    """Whether a figure of differences shows it: what a series is judged by, in one unit."""
    return measure not in (*SECONDARY, TRAINING)
