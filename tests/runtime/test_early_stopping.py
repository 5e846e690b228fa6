"""Early stopping uses the direction of its metric."""
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook

from isda_seg.runtime.early_stopping import set_early_stopping


def test_run_with_decreasing_error_is_not_stopped():
    hooks = [dict(type='EarlyStoppingHook', monitor='top1_error', patience=1),
             dict(type='EarlyStoppingHook', monitor='nll', rule='greater'),
             dict(type='EarlyStoppingHook', monitor='acc')]
    cfg = Config(dict(custom_hooks=hooks))
    set_early_stopping(cfg)
    assert [hook.get('rule') for hook in cfg.custom_hooks] == ['less', 'greater', None]
    stopping = EarlyStoppingHook(**{key: value for key, value in cfg.custom_hooks[0].items() if key != 'type'})
    assert [stopping._check_stop_condition(error)[0] for error in (60.0, 50.0, 40.0, 45.0)] == [False] * 3 + [True]
