"""Which way a measure is better: hosts guess it from its name, and take 'top1_error' for one that should grow."""
import re

LESS = re.compile(r'(.*_error|nll|ece|.*loss.*)(_last\d+)?')
GREATER = re.compile(r'(top\d+_accuracy|accuracy|training_accuracy|mIoU|aAcc|mAcc|mean_AP|.*mAP.*|'
                     r'(IoU|precision|recall|AP)\..+)(_last\d+)?')


def direction(measure: str) -> str | None:
    """'less' or 'greater' for a measure that is made here, whatever stands before a slash; None for any other."""
    name = measure.rsplit('/', 1)[-1]
    return 'less' if LESS.fullmatch(name) else 'greater' if GREATER.fullmatch(name) else None
