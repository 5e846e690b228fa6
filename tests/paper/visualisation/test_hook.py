"""DirectionsHook leaves the run bitwise unchanged and fills the visualizer."""

import random

import cv2
import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive

from isda_seg.paper.visualisation.hook import DirectionsHook
from isda_seg.runtime.isolation import undisturbed

pytestmark = pytest.mark.exhaustive


def with_hook(**keys):
    def change(cfg):
        hook = dict(type='isda_seg.paper.visualisation.hook.DirectionsHook', interval=4, by_epoch=False, **keys)
        cfg.custom_hooks = [hook]
    return change


@tiny.on_cpu
def test_hook_leaves_the_run_bitwise_unchanged(tmp_path):
    plain, isda = tiny.write_configs(tmp_path / 'tiny')
    without, batches = tiny.train(isda, tmp_path / 'without')
    state = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    run, with_steps = tiny.train(isda, tmp_path / 'with', change=with_hook(classes=['sky'], queries=2, neighbours=2))
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    assert batches == with_steps
    assert tiny.differing(tiny.full_state(without), tiny.full_state(run)) == []
    assert torch.equal(state[0], after[0])
    assert state[1:] == after[1:]
    pictures = sorted((tmp_path / 'with').glob('*/vis_data/vis_image/*.png'))
    assert [path.name for path in pictures] == ['directions_sky_4.png', 'isda_table_4.png']
    assert all(len(np.unique(cv2.imread(str(path)))) > 100 for path in pictures)


def test_undisturbed_restores_modes_and_random_states_after_an_error():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    model[1].eval()
    state = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    with pytest.raises(RuntimeError, match='in the middle'), undisturbed(model):
        assert [module.training for module in model.modules()] == [False] * 3
        torch.rand(3), np.random.rand(3), random.random()
        raise RuntimeError('in the middle')
    assert [module.training for module in model.modules()] == [True, True, False]
    assert torch.equal(state[0], torch.get_rng_state())
    assert state[1:] == (np.random.get_state()[1].tolist(), random.getstate())


@exhaustive('keys, isda, words', [
    (dict(classes=['Lorry']), True, "unknown class 'Lorry'. Choose from "),
    (dict(head='neck'), True, 'neck matches no classifier'),
    (dict(strength=0), True, 'the strength is 0, so that features would not move'),
    (dict(), False, 'needs a model with ISDA. Add default_hooks'),
])
def test_invalid_options_are_rejected_before_training(tmp_path, keys, isda, words):
    configs = tiny.write_configs(tmp_path / 'tiny')
    runner = tiny.build(configs[isda], tmp_path / 'work', change=with_hook(**keys))
    with pytest.raises(ValueError, match=words):
        runner.train()
    assert runner.iter == 0


def test_interval_below_1_is_rejected():
    with pytest.raises(ValueError, match='at least 1, got 0'):
        DirectionsHook(interval=0)
