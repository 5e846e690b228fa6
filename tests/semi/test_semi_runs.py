"""Complete runs of the configs: exact resume, equal twins, errors for incomplete setups."""
import json

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive
from helpers.tiny_semi import SEMI, shrink

from isda_seg.classification.evaluation import evaluate
from isda_seg.core import linear_ramp
from isda_seg.runtime.launch import load_config

pytestmark = tiny.on_cpu

METHODS = ['te', 'mt', 'pi', 'vat']
EPOCHS = 3


@pytest.fixture
def run(tiny_data, tmp_path):
    """run('pi_isda_cifar10', 'name', **options of tiny.train) trains it on the tiny archive, five steps an epoch."""
    def train(name, work, epochs=EPOCHS, change=None, **options):
        def both(cfg):
            shrink(cfg, tiny_data.zca, epochs=epochs)
            if change is not None:
                change(cfg)
        return tiny.train(SEMI / 'cifar10' / f'{name}.py', tmp_path / work, change=both, **options)
    return train


def keep_all(cfg):
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1


def keep_every_step(cfg):
    keep_all(cfg)
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=1)


@exhaustive('method', METHODS)
def test_resume_is_bitwise_exact(method, run, tmp_path):
    whole, steps = run(f'{method}_isda_cifar10', 'whole', change=keep_all)
    resumed, rest = run(f'{method}_isda_cifar10', 'resumed', resume=tmp_path / 'whole' / 'epoch_1.pth')
    assert rest == steps[5:] and len(steps) == 15
    state = tiny.full_state(whole)
    assert tiny.differing(state, tiny.full_state(resumed)) == []
    if method == 'te':
        assert state['model.method.epochs'].tolist() == [EPOCHS] * 100
    if method == 'mt':
        assert int(state['model.method.updates']) == 15
        assert len([key for key in state if key.startswith('model.method.teacher')]) > 10


@exhaustive('method', METHODS)
def test_resume_inside_an_epoch_is_bitwise_exact(method, run, tmp_path):
    whole, steps = run(f'{method}_isda_cifar10', 'whole', change=keep_every_step, epochs=2)
    resumed, rest = run(f'{method}_isda_cifar10', 'resumed', resume=tmp_path / 'whole' / 'iter_3.pth', epochs=2)
    assert rest == steps[3:] and len(steps) == 10
    assert tiny.differing(tiny.full_state(whole), tiny.full_state(resumed)) == []


@exhaustive('method', METHODS)
def test_lambda_0_zero_trains_bitwise_as_the_twin(method, run):
    def nothing(cfg):
        cfg.default_hooks.isda.lambda_0 = 0

    plain, plain_steps = run(f'{method}_cifar10', 'plain', epochs=1)
    isda, steps = run(f'{method}_isda_cifar10', 'isda', epochs=1, change=nothing)
    assert [step['batch'] for step in steps] == [step['batch'] for step in plain_steps]
    found, expected = tiny.full_state(isda), tiny.full_state(plain)
    statistics = [key for key in found if '.statistics.' in key]
    assert tiny.differing({k: v for k, v in found.items() if k not in statistics}, expected) == []
    assert int(found['model.loss.statistics.count'].sum()) == 100  # labelled features, one beside each image


def test_isda_learns_something_else_and_its_strength_ramps(run):
    plain, _ = run('vat_cifar10', 'plain', epochs=1)
    isda, _ = run('vat_isda_cifar10', 'isda', epochs=1)
    assert 'model.fc.weight' in tiny.differing(tiny.full_state(plain), tiny.full_state(isda))
    strengths = isda.message_hub.get_scalar('train/isda_strength').data[0].tolist()
    assert strengths == pytest.approx([linear_ramp(step, 5, 0.5) for step in range(1, 6)])


def test_eta_2_follows_the_fraction_of_the_epoch(run):
    def short(cfg):
        cfg.model.method.ramp_epochs = 2

    runner, _ = run('pi_cifar10', 'work', change=short)
    weights = runner.message_hub.get_scalar('train/eta_2').data[0]
    expected = [100 * np.exp(-5 * (1 - min(step / 5 / 2, 1)) ** 2) for step in range(15)]
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_temporal_ensembling_has_no_term_in_the_first_epoch(run, tmp_path):
    run('te_cifar10', 'work', epochs=2)
    values = [line['loss_unlabelled'] for line in tiny.logged(tmp_path / 'work').values()]
    assert values[:5] == [0.0] * 5 and min(values[5:]) > 0


def test_mean_teacher_is_tested_by_its_teacher(run):
    runner, _ = run('mt_cifar10', 'work', epochs=1)
    model, batch = runner.model.eval(), torch.randn(4, 3, 32, 32)
    found = model(batch, torch.zeros(4), mode='predict')[0]['logits']
    assert torch.equal(found, model.method.teacher(batch))
    assert (found - model(batch)).abs().max() > 1e-6


@exhaustive('method', METHODS)
def test_a_checkpoint_is_tested_without_training_data(method, run, tiny_data, tmp_path):
    run(f'{method}_isda_cifar10', 'work', epochs=1)
    config = SEMI / 'cifar10' / f'{method}_isda_cifar10.py'
    cfg = load_config(str(config), work_dir=str(tmp_path / 'test'))
    shrink(cfg, tiny_data.zca)
    cfg.train_dataloader.dataset.num_labels = 10 ** 6  # nobody could build it
    cfg.default_hooks.last_evaluations.last = 1
    result = evaluate(cfg, str(config), str(tmp_path / 'work' / 'epoch_1.pth'))['protocols']['single']
    (logged,) = [json.loads(line)['top1_error'] for path in (tmp_path / 'work').glob('*/vis_data/scalars.json')
                 for line in path.read_text().splitlines() if 'top1_error' in line]
    assert result['top1_error'] == pytest.approx(logged, abs=1e-4)


def test_too_few_views_are_refused(run):
    def one(cfg):
        cfg.train_dataloader.dataset.views = 1

    with pytest.raises(ValueError, match='PiModel needs 2 views of every unlabelled image, got 1. Set train_'):
        run('pi_cifar10', 'work', change=one)


def test_labelled_images_alone_are_refused(run):
    def labelled(cfg):
        loader = cfg.train_dataloader
        loader.dataset = dict(loader.dataset.dataset, pipeline=loader.dataset.pipeline)
        loader.sampler = dict(type='DefaultSampler', shuffle=True)

    with pytest.raises(ValueError, match='needs labelled and unlabelled images. Wrap the training'):
        run('vat_cifar10', 'work', change=labelled)


def test_a_loop_without_epochs_is_refused(run):
    def by_iteration(cfg):
        cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=3, val_interval=100)

    with pytest.raises(ValueError, match="counts epochs over the unlabelled images. Set train_cfg = dict"):
        run('pi_cifar10', 'work', change=by_iteration)


def test_method_without_its_hook_is_an_error(run):
    def no_hook(cfg):
        cfg.custom_hooks = []

    with pytest.raises(RuntimeError, match="the epoch of PiModel is not set. Add custom_hooks"):
        run('pi_cifar10', 'work', change=no_hook)


def test_the_hook_alone_is_refused(tiny_data, tmp_path):
    def classifier(cfg):
        shrink(cfg, tiny_data.zca)
        cfg.model.type = 'ImageClassifier'
        del cfg.model.method
        del cfg.model['backbone']['width']

    with pytest.raises(ValueError, match='SemiHook needs a SemiClassifier, got ImageClassifier'):
        tiny.train(SEMI / 'cifar10' / 'vat_cifar10.py', tmp_path, change=classifier)


def test_a_temporal_ensembling_checkpoint_of_other_data_is_refused(run, tmp_path):
    run('te_cifar10', 'work', epochs=1)
    path = tmp_path / 'work' / 'epoch_1.pth'
    checkpoint = torch.load(path, weights_only=False)
    for name in ('ensemble', 'targets', 'epochs'):
        checkpoint['state_dict'][f'method.{name}'] = checkpoint['state_dict'][f'method.{name}'][:60]
    torch.save(checkpoint, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='has predictions of 100 images in 10 classes, but the checkpoint holds 60'):
        run('te_cifar10', 'again', resume=tmp_path / 'other.pth')
