"""Display names of the measures of ``paired.measures``."""
from pathlib import Path
from typing import Any, NamedTuple

from isda_seg.paper.series.paired import MAPS, OVER_CLASSES, SECONDARY, TRAINING, lower_is_better, main_measure

ROWS = {**MAPS, OVER_CLASSES: 'error, mean over classes', 'aAcc': 'pixel accuracy', 'nll': 'negative log-likelihood',
        'ece': 'expected calibration error', 'mean_AP': 'mean average precision', TRAINING: 'training accuracy'}


class DisplayNames(NamedTuple):
    """Display names of one kind of measure."""
    measure: str           # in sentences
    heading: str           # heading of a table
    axis: str              # axis label of a figure


def display_names(measure: str) -> DisplayNames:
    """Return the display names of a measure."""
    if measure in MAPS:
        return DisplayNames(MAPS[measure], "COCO's mAP in per cent", 'mAP')
    if lower_is_better(measure):
        return DisplayNames(measure, 'test error in per cent (lower is better)', 'test error (lower is better)')
    return DisplayNames('mIoU', 'mIoU and IoU in per cent', 'mIoU')


def names_of_series(paired: dict[str, Any]) -> DisplayNames:
    """Return the display names of the main measure of a paired series."""
    return display_names(main_measure(run for runs in paired['runs'].values() for run in runs.values()))


def arm_names(baseline: str, arm: str) -> tuple[str, str]:
    """Return the column headings of two arms."""
    return ('baseline', 'ISDA') if with_isda(arm) and not with_isda(baseline) else ('baseline', 'this arm')


def with_isda(arm: str) -> bool:
    """Whether the config name of an arm contains ``isda``."""
    return 'isda' in Path(arm.partition(' ')[0]).stem.split('_')


def row_name(measure: str) -> str:
    """Return the row heading of a measure."""
    if measure in ROWS or measure.startswith(('top1_error', 'mIoU_last')):
        return ROWS.get(measure, measure)
    return f'mIoU, {measure}'


def decimals(measure: str) -> int:
    """Return the number of decimals; two for values in per cent."""
    return 3 if measure == 'nll' else 2


def is_main(measure: str) -> bool:
    """Whether a measure is a main measure, which figures of differences show."""
    return measure not in (*SECONDARY, TRAINING)
