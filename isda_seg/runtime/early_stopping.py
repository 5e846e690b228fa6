"""Hooks that stop a run on a measure know which way it is better."""
from mmengine.config import Config

from isda_seg.metrics.best_measure import direction
from isda_seg.runtime.config_keys import dicts, type_name


def set_early_stopping(cfg: Config) -> None:
    """Give the hooks that stop a run on a measure its direction, in place, where the config says none."""
    for hook in dicts([cfg.get('default_hooks'), cfg.get('custom_hooks')]):
        if type_name(hook) == 'EarlyStoppingHook' and hook.get('rule') is None:
            hook.rule = direction(hook.monitor)
