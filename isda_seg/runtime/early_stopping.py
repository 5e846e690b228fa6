"""Direction of the metric that EarlyStoppingHook monitors."""
from mmengine.config import Config

from isda_seg.metrics.best_measure import direction
from isda_seg.runtime.config_keys import dicts, type_name


def set_early_stopping(cfg: Config) -> None:
    """Set the ``rule`` of each EarlyStoppingHook from its metric if the config does not set it; in place."""
    for hook in dicts([cfg.get('default_hooks'), cfg.get('custom_hooks')]):
        if type_name(hook) == 'EarlyStoppingHook' and hook.get('rule') is None:
            hook.rule = direction(hook.monitor)
