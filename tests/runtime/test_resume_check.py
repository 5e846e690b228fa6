"""A run resumed with changed settings continues like a run that always had them, or fails at once."""
import argparse
import json

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner

from isda_seg.runtime.config_keys import add_cfg_options
from isda_seg.runtime.fingerprint import data_digest
from isda_seg.runtime.resume_check import ResumeCheckHook

MULTISTEP = [dict(type='MultiStepLR', milestones=[2, 3], gamma=0.1, by_epoch=True)]
WARM_COSINE = [dict(type='LinearLR', start_factor=0.1, begin=0, end=1, convert_to_iter_based=True),
               dict(type='CosineAnnealingLR', begin=1, convert_to_iter_based=True)]
MIXED = [dict(type='LinearLR', start_factor=0.5, begin=0, end=3, by_epoch=False),
         dict(type='StepLR', step_size=2, gamma=0.5, by_epoch=True)]
POLY = [dict(type='PolyLR', power=0.9, eta_min=1e-4, begin=0, end=8, by_epoch=False)]


@DATASETS.register_module(name='ResumedNumbers', force=True)
class Numbers(BaseDataset):
    """Eight numbers, each with a file and a label."""

    def __init__(self, first_label=0, data_root='', pipeline=()):
        self.first_label = first_label
        super().__init__(data_root=data_root, pipeline=pipeline)

    def load_data_list(self):
        return [dict(img_path=f'{self.data_root}/images/{i}.png', gt_label=self.first_label + i, x=float(i),
                     patch=np.full(3, i)) for i in range(8)]

    def __getitem__(self, index):
        return dict(x=torch.tensor([self.get_data_info(index)['x']]))


@MODELS.register_module(name='ResumedScale', force=True)
class Scale(BaseModel):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, x, mode='loss'):
        return dict(loss=(self.weight * x).square().mean())


def config(folder, schedule, epochs=4, batch=2, by_epoch=True, lr=0.1, resume=None, **dataset):
    train = dict(by_epoch=True, max_epochs=epochs) if by_epoch else dict(by_epoch=False, max_iters=epochs)
    return Config(dict(
        model=dict(type='ResumedScale'), work_dir=str(folder), train_cfg=train, param_scheduler=schedule,
        train_dataloader=dict(batch_size=batch, collate_fn=dict(type='default_collate'),
                              dataset=dict(type='ResumedNumbers', **dataset),
                              sampler=dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=False)),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=lr, momentum=0.9)), load_from=resume, resume=bool(resume),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=by_epoch)),
        custom_hooks=[dict(type='ResumeCheckHook')], log_level='WARNING', randomness=dict(seed=0)))


def rates(cfg):
    """(step, learning rate) of every step of a run, and the run."""
    runner, seen = Runner.from_cfg(cfg), []
    before = runner.call_hook

    def call_hook(name, **kwargs):
        before(name, **kwargs)
        if name == 'before_train_iter':
            seen.append((runner.iter, runner.optim_wrapper.optimizer.param_groups[0]['lr']))

    runner.call_hook = call_hook
    runner.train()
    return seen, runner


def approx(steps):
    """The same steps, with rates that are alike to rounding."""
    return [(step, pytest.approx(rate)) for step, rate in steps]


def test_hook_is_registered_under_its_name():
    assert ResumeCheckHook().priority == 'VERY_HIGH' and ResumeCheckHook().own is None


@exhaustive('before, after', [(MULTISTEP, MULTISTEP), (WARM_COSINE, WARM_COSINE), (MIXED, MIXED),
                              (MULTISTEP, WARM_COSINE)])
def test_extended_schedule_has_the_rates_of_the_longer_run(tmp_path, before, after):
    rates(config(tmp_path / 'short', before, epochs=2))
    resumed, _ = rates(config(tmp_path / 'on', after, epochs=5, resume=str(tmp_path / 'short' / 'epoch_2.pth')))
    whole, _ = rates(config(tmp_path / 'whole', after, epochs=5))
    assert [step for step, _ in resumed] == list(range(8, 20))
    assert resumed == approx(whole[8:])


def test_extended_iteration_schedule_has_the_rates_of_the_longer_run(tmp_path):
    rates(config(tmp_path / 'short', POLY, epochs=4, by_epoch=False))
    longer = [dict(POLY[0], end=12)]
    resumed, _ = rates(config(tmp_path / 'on', longer, epochs=12, by_epoch=False,
                              resume=str(tmp_path / 'short' / 'iter_4.pth')))
    assert resumed == approx(rates(config(tmp_path / 'whole', longer, epochs=12, by_epoch=False))[0][4:])


def test_changed_batch_size_continues_at_the_same_epoch(tmp_path):
    rates(config(tmp_path / 'two', WARM_COSINE, epochs=2, batch=2))
    resumed, runner = rates(config(tmp_path / 'on', WARM_COSINE, epochs=4, batch=4,
                                   resume=str(tmp_path / 'two' / 'epoch_2.pth')))
    assert resumed == approx(rates(config(tmp_path / 'whole', WARM_COSINE, epochs=4, batch=4))[0][4:])
    assert (runner.iter, runner.max_iters) == (8, 8)  # a strength that grows with iterations ends at its full value


def test_equal_settings_resume_bitwise_without_a_message(tmp_path, capfd):
    _, whole = rates(config(tmp_path / 'whole', WARM_COSINE))
    capfd.readouterr()
    _, resumed = rates(config(tmp_path / 'on', WARM_COSINE, resume=str(tmp_path / 'whole' / 'epoch_2.pth')))
    assert 'resuming with' not in capfd.readouterr().err
    assert torch.equal(resumed.model.weight, whole.model.weight)


@pytest.mark.parametrize(('change', 'message'), [
    (dict(first_label=1), 'trained with different training images or labels.* Use the same setup'),
    (dict(lr=0.2), "trained with a different optimizer. Use the same setup, or start a new run from the checkpoint's "),
    (dict(epochs=2), 'no training is left: the checkpoint is at epoch 2, and train_cfg.max_epochs is 2'),
    (dict(schedule=[dict(type='ReduceOnPlateauLR', monitor='loss')]), 'a schedule that depends on a metric')])
def test_unsupported_changes_at_resume_are_errors(tmp_path, change, message):
    rates(config(tmp_path / 'whole', MULTISTEP, epochs=3))
    changed = dict(dict(schedule=MULTISTEP, epochs=3), **change)
    with pytest.raises(ValueError, match=message):
        Runner.from_cfg(config(tmp_path / 'on', resume=str(tmp_path / 'whole' / 'epoch_2.pth'), **changed)).train()


def test_changed_batch_size_in_iteration_based_training_is_an_error(tmp_path):
    rates(config(tmp_path / 'whole', POLY, epochs=4, by_epoch=False))
    with pytest.raises(ValueError, match=r'trained with a different batch size \(batch 2, now 4\)'):
        Runner.from_cfg(config(tmp_path / 'on', POLY, epochs=4, by_epoch=False, batch=4,
                               resume=str(tmp_path / 'whole' / 'iter_2.pth'))).train()


def test_digest_depends_on_files_and_labels_but_not_on_the_folder():
    here, there = Numbers(data_root='/data/here'), Numbers(data_root='/other/place')
    assert data_digest(here) == data_digest(there) == data_digest(Numbers(data_root='/data/here'))
    other = Numbers(data_root='/data/here')
    other.load_data_list = lambda: [dict(entry, patch=np.full(3, 9)) for entry in Numbers.load_data_list(other)]
    other._fully_initialized = False
    other.full_init()
    digests = {data_digest(here), data_digest(Numbers(first_label=1)), data_digest(other)}
    assert len(digests) == 3


def test_digest_depends_on_the_choice_of_labels():
    class Chosen:
        def __init__(self, *indices):
            self.dataset, self.labelled_indices = Numbers(), np.array(indices)

        def __len__(self):
            return 8

    assert data_digest(Chosen(1, 2)) == data_digest(Chosen(1, 2)) != data_digest(Chosen(1, 3))


def test_digest_accepts_a_list_as_dataset():
    assert data_digest([1, 2]) == data_digest([3, 4]) != data_digest([1, 2, 3])  # as long, no more is known


def test_fingerprint_in_the_checkpoint_is_json(tmp_path):
    rates(config(tmp_path, MULTISTEP, epochs=1))
    made_by = torch.load(tmp_path / 'epoch_1.pth', weights_only=False)['meta']['made_by']
    assert json.loads(json.dumps(made_by)) == made_by
    assert {key: made_by[key] for key in ('images', 'batch', 'ranks', 'accumulated', 'steps', 'length')} == dict(
        images=8, batch=2, ranks=1, accumulated=1, steps=4, length=1)


HOOK = {'default_hooks.isda.type': 'isda_seg.hooks.ISDAHook', 'default_hooks.isda.lambda_0': 7.5,
        'custom_imports.imports': ['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation']}


def counts(runner):
    state = runner.model.state_dict()
    return {key: int(value.sum()) for key, value in state.items() if key.endswith('statistics.count')}


CUSTOM = "\ncustom_hooks = [dict(type='IterTimerHook'), dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5)]\n"


@tiny.on_cpu
@exhaustive('place', ['loss', 'default_hooks', 'custom_hooks'])
def test_loaded_statistics_are_reported_with_an_option_that_works(tmp_path, place):
    plain, isda = tiny.write_configs(tmp_path)
    config, options = (isda, {}) if place == 'loss' else (plain, HOOK if place == 'default_hooks' else {})
    if place == 'custom_hooks':
        plain.write_text(plain.read_text() + CUSTOM)
    short = {**options, 'train_cfg.max_iters': 1}
    before = counts(tiny.train(config, tmp_path / 'first', short)[0])
    short['load_from'] = str(tmp_path / 'first/iter_1.pth')
    after = counts(tiny.train(config, tmp_path / 'second', short)[0])
    assert after == {key: 2 * value for key, value in before.items()}
    lines = [line.split('ISDA: ')[1] for line in next((tmp_path / 'second').glob('*/*.log')).read_text().splitlines()
             if 'continues the class statistics' in line]
    assert [line.split(' ')[0] for line in lines] == ['decode_head.loss_decode', 'auxiliary_head.loss_decode']
    assert f'of {before["decode_head.loss_decode.statistics.count"]} samples from a checkpoint' in lines[0]
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    for line in lines:
        short |= parser.parse_args(['--cfg-options', line.split('--cfg-options ')[1]]).cfg_options
    assert counts(tiny.train(config, tmp_path / 'third', short)[0]) == before
    log = next((tmp_path / 'third').glob('*/*.log')).read_text()
    assert 'continues the class statistics' not in log


@tiny.on_cpu
@pytest.mark.exhaustive
def test_a_resumed_run_reports_no_loaded_statistics(tmp_path):
    _, isda = tiny.write_configs(tmp_path)
    tiny.train(isda, tmp_path / 'work', {'train_cfg.max_iters': 2})
    tiny.train(isda, tmp_path / 'rest', resume=tmp_path / 'work/iter_2.pth')
    assert 'continues the class statistics' not in next((tmp_path / 'rest').glob('*/*.log')).read_text()
