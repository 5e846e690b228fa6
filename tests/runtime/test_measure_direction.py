"""A measure that should fall is not taken for one that should grow."""
import pytest
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook

from isda_seg.runtime.checkpoint_hook import AtomicCheckpointHook
from isda_seg.runtime.measure_direction import direction, set_early_stopping


@pytest.mark.parametrize(('measure', 'wanted'), [
    ('top1_error', 'less'), ('top5_error', 'less'), ('top1_error_last10', 'less'), ('single/top1_error', 'less'),
    ('nll', 'less'), ('ece', 'less'), ('loss', 'less'), ('decode.loss_isda', 'less'),
    ('top1_accuracy', 'greater'), ('accuracy', 'greater'), ('mIoU', 'greater'), ('mIoU_last3', 'greater'),
    ('aAcc', 'greater'), ('mAcc', 'greater'), ('IoU.nll', 'greater'), ('recall.car', 'greater'),
    ('coco/bbox_mAP', 'greater'), ('coco/segm_mAP_50', 'greater'), ('time', None)])
def test_every_measure_knows_its_direction(measure, wanted):
    assert direction(measure) == wanted


def test_the_best_checkpoint_is_that_of_the_lowest_error():
    assert CheckpointHook(save_best='top1_error').rules == ['greater']  # the host's guess, which this mends
    assert AtomicCheckpointHook(save_best='top1_error').rules == ['less']
    assert AtomicCheckpointHook(save_best=['nll', 'mIoU', 'acc']).rules == ['less', 'greater', 'greater']
    assert AtomicCheckpointHook(save_best='top1_error', rule='greater').rules == ['greater']
    chosen_later = AtomicCheckpointHook(save_best='auto')
    chosen_later._init_rule(chosen_later.rules, ['top1_error'])
    assert chosen_later.is_better_than['top1_error'](40.0, 50.0) is True


def test_a_run_whose_error_falls_is_not_stopped_early():
    hooks = [dict(type='EarlyStoppingHook', monitor='top1_error', patience=1),
             dict(type='EarlyStoppingHook', monitor='nll', rule='greater'),
             dict(type='EarlyStoppingHook', monitor='acc')]
    cfg = Config(dict(custom_hooks=hooks))
    set_early_stopping(cfg)
    assert [hook.get('rule') for hook in cfg.custom_hooks] == ['less', 'greater', None]
    stopping = EarlyStoppingHook(**{key: value for key, value in cfg.custom_hooks[0].items() if key != 'type'})
    assert [stopping._check_stop_condition(error)[0] for error in (60.0, 50.0, 40.0, 45.0)] == [False] * 3 + [True]
