"""Direction of the metrics of this package."""
import pytest
from mmengine.hooks import CheckpointHook

from isda_seg.metrics.best_metric import direction
from isda_seg.runtime.checkpoint import AtomicCheckpointHook


@pytest.mark.parametrize(('metric', 'wanted'), [
    ('top1_error', 'less'), ('top5_error', 'less'), ('top1_error_last10', 'less'), ('single/top1_error', 'less'),
    ('nll', 'less'), ('ece', 'less'), ('loss', 'less'), ('decode.loss_isda', 'less'),
    ('top1_accuracy', 'greater'), ('accuracy', 'greater'), ('mIoU', 'greater'), ('mIoU_last3', 'greater'),
    ('aAcc', 'greater'), ('mAcc', 'greater'), ('IoU.nll', 'greater'), ('recall.car', 'greater'),
    ('coco/bbox_mAP', 'greater'), ('coco/segm_mAP_50', 'greater'), ('time', None)])
def test_direction_of_every_metric(metric, wanted):
    assert direction(metric) == wanted


def test_best_checkpoint_has_the_lowest_error():
    assert CheckpointHook(save_best='top1_error').rules == ['greater']  # MMEngine's guess, which our hook corrects
    assert AtomicCheckpointHook(save_best='top1_error').rules == ['less']
    assert AtomicCheckpointHook(save_best=['nll', 'mIoU', 'acc']).rules == ['less', 'greater', 'greater']
    assert AtomicCheckpointHook(save_best='top1_error', rule='greater').rules == ['greater']
    chosen_later = AtomicCheckpointHook(save_best='auto')
    chosen_later._init_rule(chosen_later.rules, ['top1_error'])
    assert chosen_later.is_better_than['top1_error'](40.0, 50.0) is True
