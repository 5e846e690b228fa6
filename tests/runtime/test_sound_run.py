"""A run without batches or with weights that are not finite ends early."""
import json
import math

import pytest
import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner

from isda_seg.runtime.sound_run import SoundRunHook, diverged, require_batches


class Line(BaseModel):
    """One weight, whose gradient is not a number from step ``breaks`` on."""

    def __init__(self, breaks, skips=False):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.breaks, self.skips, self.steps = breaks, skips, 0

    def forward(self, inputs, mode='loss'):
        self.steps += 1
        broken = self.steps >= self.breaks
        loss = self.weight.sum() * (math.nan if broken else 1.0)
        return dict(loss=loss.detach() + 0 * self.weight.nan_to_num().sum() if broken and self.skips else loss)


def runner(folder, breaks=1000, images=4, interval=50, skips=False, **loader):
    dataset = [dict(inputs=torch.zeros(1)) for _ in range(images)]
    loader = dict(dict(batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dataset), **loader)
    return Runner(
        Line(breaks, skips), str(folder), train_dataloader=loader, train_cfg=dict(by_epoch=True, max_epochs=4),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)), custom_hooks=[SoundRunHook(interval)],
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, save_last=False)), log_level='ERROR')


@pytest.mark.parametrize(('interval', 'noticed'), [(1, 5), (50, 6)])  # at once, or by the checkpoint of the third epoch
def test_diverged_run_stops_without_saving_its_weights(tmp_path, interval, noticed):
    with pytest.raises(FloatingPointError, match=f'diverged: after {noticed} steps .* Lower the learning rate'):
        runner(tmp_path, breaks=5, interval=interval).train()
    assert diverged(tmp_path) == dict(iteration=noticed)
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']


@pytest.mark.parametrize(('interval', 'breaks', 'noticed'), [(2, 3, 6), (50, 8, 8)])  # at the second look, at the end
def test_run_with_non_finite_loss_and_finite_weights_stops(tmp_path, interval, breaks, noticed):
    with pytest.raises(FloatingPointError, match=f'diverged: after {noticed} steps the weights or the loss are '
                                                 'not finite'):
        runner(tmp_path, breaks=breaks, interval=interval, skips=True).train()
    assert diverged(tmp_path) == dict(iteration=noticed)


def test_finite_run_removes_an_older_divergence_record(tmp_path):
    (tmp_path / 'diverged.json').write_text(json.dumps(dict(iteration=3)))
    trained = runner(tmp_path)
    trained.train()
    assert (diverged(tmp_path), trained.iter) == (None, 8)


def test_too_few_images_for_a_batch_are_an_error(tmp_path):
    with pytest.raises(ValueError, match='3 training images do not fill a batch of 4 .*smaller .*size, or .*drop_last'):
        require_batches(runner(tmp_path, images=3, batch_size=4, drop_last=True).train_dataloader)


def test_infinite_sampler_fills_any_batch(tmp_path):
    endless = runner(tmp_path, images=3, batch_size=4, drop_last=True, sampler=dict(type='InfiniteSampler'))
    endless._train_loop = dict(type='IterBasedTrainLoop', max_iters=2)
    require_batches(endless.train_dataloader)
    endless.train()
    assert endless.iter == 2
