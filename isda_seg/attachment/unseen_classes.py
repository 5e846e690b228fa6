"""Warn about classes without a sample and about features that are not finite, once per training. Plain torch."""
import warnings

from isda_seg.core import ClassStatistics

STEPS = 64  # training calls before the first report
NAMED = 10  # classes named in a message


class UnseenClasses:
    """Report of the statistics of one loss after some training calls.

    Args:
        steps: number of training calls before the report; None for no report, if the training loop reports itself.
    """

    def __init__(self, steps: int | None = STEPS) -> None:
        self.steps, self.calls = steps, 0

    def count_call(self, statistics: ClassStatistics) -> None:
        """Count a training call. At the number of the report, warn; this synchronises with an accelerator."""
        self.calls += 1
        if self.calls != self.steps:
            return
        unseen = [f'class {number}' for number, count in enumerate(statistics.count.tolist()) if count == 0]
        more = [f'{len(unseen) - NAMED} more'] if len(unseen) > NAMED else []
        if unseen:
            warnings.warn(f'ISDA: after {self.calls} training calls, the statistics have no feature of '
                          f'{", ".join(unseen[:NAMED] + more)}. These classes receive no augmentation. Check whether '
                          'the labels contain them: a mask of 0 and 255 needs the labels 0 and 1', stacklevel=2)
        if dropped := int(statistics.dropped):
            warnings.warn(f'ISDA: {dropped} labelled features were not finite. The statistics ignore them.',
                          stacklevel=2)
