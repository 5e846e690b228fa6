"""A run with an unknown metric ends early, and schedules know the direction of their metrics."""

import numpy as np
import pytest
import torch
from helpers import tiny
from mmengine.config import Config
from mmengine.hooks import EarlyStoppingHook

from isda_seg.runtime.monitored_metrics import set_rules


def test_run_with_decreasing_error_is_not_stopped():
    hooks = [dict(type='EarlyStoppingHook', monitor='top1_error', patience=1),
             dict(type='EarlyStoppingHook', monitor='nll', rule='greater'),
             dict(type='EarlyStoppingHook', monitor='acc')]
    cfg = Config(dict(custom_hooks=hooks))
    set_rules(cfg)
    assert [hook.get('rule') for hook in cfg.custom_hooks] == ['less', 'greater', None]
    stopping = EarlyStoppingHook(**{key: value for key, value in cfg.custom_hooks[0].items() if key != 'type'})
    assert [stopping._check_stop_condition(error)[0] for error in (60.0, 50.0, 40.0, 45.0)] == [False] * 3 + [True]


def test_a_schedule_of_an_accuracy_reduces_when_it_falls():
    schedules = [dict(type='ReduceOnPlateauLR', monitor='mIoU'), dict(type='ReduceOnPlateauMomentum', monitor='nll'),
                 dict(type='ReduceOnPlateauLR', monitor='mIoU', rule='less'), dict(type='ReduceOnPlateauLR'),
                 dict(type='LinearLR')]
    cfg = Config(dict(param_scheduler=schedules))
    set_rules(cfg)
    assert [one.get('rule') for one in cfg.param_scheduler] == ['greater', 'less', 'less', None, None]


NAMED = {'default_hooks.checkpoint.save_best': 'mIou', 'train_cfg.val_begin': 1, 'train_cfg.val_interval': 3}


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return tiny.write_configs(tmp_path_factory.mktemp('metrics'))[0]


@pytest.mark.parametrize('options, words', [
    (NAMED, "save_best names 'mIou', but the evaluator gives aAcc, mIoU, mAcc.* Name one of these"),
    ({**NAMED, 'default_hooks.checkpoint.save_best': ['mIoU', 'coco/bbox_mAP']}, "names 'coco/bbox_mAP', but"),
    ({'default_hooks.stop.type': 'EarlyStoppingHook', 'default_hooks.stop.monitor': 'accuracy/top1',
      'default_hooks.stop.rule': 'greater', 'train_cfg.val_begin': 1},
     "EarlyStoppingHook.monitor names 'accuracy/top1', but the evaluator gives aAcc"),
    ({'param_scheduler': [dict(type='ReduceOnPlateauLR', monitor='loss')], 'train_cfg.val_begin': 1},
     "ReduceOnPlateauLR.monitor names 'loss', but the evaluator gives aAcc"),
    ({'default_hooks.checkpoint.save_best': 'mIoU'},
     "save_best names 'mIoU', but the run has no validation: train_cfg.val_begin is 100 and training ends at iter 6"),
    ({'default_hooks.checkpoint.save_best': 'mIoU', 'val_dataloader': None, 'val_cfg': None, 'val_evaluator': None},
     'the run has no validation: the config has no val_dataloader')])
def test_a_metric_that_nobody_gives_is_an_error_before_training(config, tmp_path, options, words):
    runner = tiny.build(config, tmp_path, options)
    recorder = tiny.recording(runner)
    with pytest.raises(ValueError, match=words):
        runner.train()
    assert recorder.steps == []


STOP = {'default_hooks.stop.type': 'EarlyStoppingHook', 'default_hooks.stop.monitor': 'mIoU', 'train_cfg.val_begin': 1,
        'train_cfg.val_interval': 2}  # validations after iterations 2, 4 and 6


@pytest.mark.parametrize('options, reported', [({'patience': 2}, True), ({'patience': 1}, False),
                                               ({'patience': 2, 'stopping_threshold': 99.0}, False)])
def test_patience_beyond_the_number_of_validations_is_reported(config, tmp_path, options, reported):
    options = {**STOP, **{f'default_hooks.stop.{key}': value for key, value in options.items()}}
    tiny.train(config, tmp_path, options)
    words = 'patience=2, it stops at the earliest after 3 validations, and this run has 3. Decrease patience'
    assert (words in next(tmp_path.glob('*/*.log')).read_text()) == reported


@pytest.mark.exhaustive
def test_the_check_of_metrics_changes_no_bit_of_the_run(config, tmp_path):
    runner, steps = tiny.train(config, tmp_path / 'named', {**NAMED, 'default_hooks.checkpoint.save_best': 'mIoU'})
    plain, same = tiny.train(config, tmp_path / 'plain', {key: NAMED[key] for key in list(NAMED)[1:]})
    assert steps == same
    assert tiny.differing(tiny.full_state(runner), tiny.full_state(plain)) == []


def test_a_metric_missing_at_validation_does_not_end_the_run(config, tmp_path, monkeypatch):
    monkeypatch.setattr('isda_seg.runtime.monitored_metrics.given_metrics', lambda runner: [])
    runner, steps = tiny.train(config, tmp_path, NAMED)
    assert len(steps) == 6
    assert 'save_best names mIou, but the validation gives aAcc, mIoU' in next(tmp_path.glob('*/*.log')).read_text()


@pytest.mark.exhaustive
def test_resume_with_a_best_metric_prints_no_warning_of_torch(config, tmp_path, capfd):
    options = {**NAMED, 'default_hooks.checkpoint.save_best': 'mIoU', 'default_hooks.checkpoint.interval': 3}
    tiny.train(config, tmp_path, options)
    saved = torch.load(tmp_path / 'iter_3.pth', weights_only=False)['message_hub']['runtime_info']
    assert isinstance(saved['best_score'], np.generic)
    capfd.readouterr()
    _, steps = tiny.train(config, tmp_path, options, resume=tmp_path / 'iter_3.pth')
    out, err = capfd.readouterr()
    assert len(steps) == 3 and 'Weights only load failed' not in out + err


RISING = {'train_cfg.val_begin': 1, 'train_cfg.val_interval': 1, 'default_hooks.checkpoint.interval': 1,
          'default_hooks.checkpoint.max_keep_ckpts': -1}


@pytest.mark.parametrize('options, done', [
    ({'default_hooks.stop': dict(type='EarlyStoppingHook', monitor='mIoU', patience=2, rule='greater')}, 2),
    ({'param_scheduler': [dict(type='ReduceOnPlateauLR', monitor='mIoU', patience=0)]}, 3)])
def test_a_resumed_run_reacts_to_validations_as_the_whole_run(config, tmp_path, monkeypatch, options, done):
    def compute_metrics(self, results):
        rates = [group['lr'] for group in runner.optim_wrapper.param_groups]
        seen.append((runner.iter, rates))
        return dict(mIoU=-float(runner.iter))  # worse at every validation

    monkeypatch.setattr('isda_seg.segmentation.metric.ClassIoUMetric.compute_metrics', compute_metrics)
    monkeypatch.setattr('isda_seg.runtime.monitored_metrics.given_metrics', lambda runner: [])
    seen = []
    runner = tiny.build(config, tmp_path, {**RISING, **options})
    runner.train()
    whole, seen, last = seen, [], runner.iter
    runner = tiny.build(config, tmp_path, {**RISING, **options}, resume=tmp_path / f'iter_{done}.pth')
    runner.train()
    assert seen == whole[done - 1:]
    assert runner.iter == last


def test_the_metric_of_a_mean_over_evaluations_is_checked(config, tmp_path):
    options = {'default_hooks.last': dict(type='LastEvaluationsHook', metric='MIOU'), 'train_cfg.val_begin': 1}
    with pytest.raises(ValueError, match="LastEvaluationsHook.metric names 'MIOU', but the evaluator gives aAcc, mIoU"):
        tiny.train(config, tmp_path, options)
    _, steps = tiny.train(config, tmp_path, {**options, 'train_cfg.val_begin': 100})  # no evaluation
    assert len(steps) == 6
