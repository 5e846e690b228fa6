"""Which way a measure is better: hosts guess it from its name, and take 'top1_error' for one that should grow."""
import re

from mmengine.config import Config

from isda_seg.runtime.config_keys import dicts, type_name

LESS = re.compile(r'(.*_error|nll|ece|.*loss.*)(_last\d+)?')
GREATER = re.compile(r'(top\d+_accuracy|accuracy|training_accuracy|mIoU|aAcc|mAcc|.*mAP.*|(IoU|precision|recall)\..+)'
                     r'(_last\d+)?')


def direction(measure: str) -> str | None:
    """'less' or 'greater' for a measure that is made here, whatever stands before a slash; None for any other."""
    name = measure.rsplit('/', 1)[-1]
    return 'less' if LESS.fullmatch(name) else 'greater' if GREATER.fullmatch(name) else None


def set_early_stopping(cfg: Config) -> None:
    """Give the hooks that stop a run on a measure its direction, in place, where the config says none."""
    for hook in dicts([cfg.get('default_hooks'), cfg.get('custom_hooks')]):
        if type_name(hook) == 'EarlyStoppingHook' and hook.get('rule') is None:
            hook.rule = direction(hook.monitor)
