"""Direction of a metric; MMEngine guesses it from the name and would maximise 'top1_error'."""
import re

LESS = re.compile(r'(.*_error|nll|ece|.*loss.*)(_last\d+)?')
GREATER = re.compile(r'(top\d+_accuracy|accuracy|training_accuracy|mIoU|aAcc|mAcc|mean_AP|.*mAP.*|'
                     r'(IoU|precision|recall|AP)\..+)(_last\d+)?')


def direction(metric: str) -> str | None:
    """Return 'less' or 'greater' for a metric of this package, ignoring a prefix before a slash; None for others."""
    name = metric.rsplit('/', 1)[-1]
    return 'less' if LESS.fullmatch(name) else 'greater' if GREATER.fullmatch(name) else None
