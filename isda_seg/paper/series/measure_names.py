"""What reports call the measures of ``paired.measures``."""
from pathlib import Path
from typing import NamedTuple

from isda_seg.paper.series.paired import MAPS, OVER_CLASSES, SECONDARY, TRAINING, lower_is_better


class Wording(NamedTuple):
    """The words of one kind of measure."""
    measure: str           # in a sentence: points of ...
    heading: str           # of a table
    axis: str              # of the figure


def wording(measure: str) -> Wording:
    """How reports speak of a measure."""
    if measure in MAPS:
        return Wording(MAPS[measure], "COCO's mAP in per cent", 'mAP')
    if lower_is_better(measure):
        return Wording(measure, 'test error in per cent, lower is better: a negative difference is a gain',
                       'test error (lower is better)')
    return Wording('mIoU', 'mIoU and IoU in per cent', 'mIoU')


def arm_names(baseline: str, arm: str) -> tuple[str, str]:
    """What the columns of two arms are called, by their configs' names."""
    return ('plain', 'ISDA') if with_isda(arm) and not with_isda(baseline) else ('baseline', 'this arm')


def with_isda(arm: str) -> bool:
    """Whether an arm's config has ISDA, by its name."""
    return 'isda' in Path(arm.partition(' ')[0]).stem.split('_')


ROWS = {**MAPS, OVER_CLASSES: 'error, mean over classes', 'aAcc': 'pixel accuracy', 'nll': 'negative log-likelihood',
        'ece': 'expected calibration error', 'mean_AP': 'mean average precision', TRAINING: 'training accuracy'}


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
