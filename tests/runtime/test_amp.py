"""Mixed precision on a CPU: features in bfloat16; loss, statistics and weights in float32."""

import pytest
import torch
from helpers import tiny
from mmengine.config import Config

from isda_seg.runtime.amp import enable_amp

pytestmark = tiny.on_cpu

SHORT = {'train_cfg.max_iters': 4}


def config(**wrapper):
    return Config(dict(optim_wrapper=dict(optimizer=dict(type='SGD', lr=1), **wrapper)))


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    return tiny.write_configs(tmp_path_factory.mktemp('configs'))


@pytest.fixture(scope='module')
def single(configs, tmp_path_factory):
    """Statistics and losses of the run in float32."""
    return tiny.train(configs[1], tmp_path_factory.mktemp('single'), SHORT)


def test_bfloat16_training_is_close_to_float32(configs, single, tmp_path):
    runner, steps = tiny.train(configs[1], tmp_path, SHORT, amp='auto')
    assert [step['files'] for step in steps] == [step['files'] for step in single[1]]
    for step, exact in zip(steps, single[1], strict=True):
        assert step['losses']['loss'] != exact['losses']['loss']
        assert step['losses']['loss'] == pytest.approx(exact['losses']['loss'], rel=0.02)
    state, exact = tiny.full_state(runner), tiny.full_state(single[0])
    for head in ('decode_head', 'auxiliary_head'):
        count, mean, _ = (f'model.{head}.loss_decode.statistics.{name}' for name in ('count', 'mean', 'covariance'))
        assert torch.equal(state[count], exact[count])
        assert (state[mean] - exact[mean]).abs().max() < 0.1 * exact[mean].abs().max()


def test_features_are_bfloat16_and_loss_statistics_and_weights_are_float32(configs, tmp_path):
    runner = tiny.build(configs[1], tmp_path, {'train_cfg.max_iters': 1}, amp='bfloat16')
    features, losses = [], []
    for head in (runner.model.decode_head, runner.model.auxiliary_head):
        head.conv_seg.register_forward_pre_hook(lambda module, inputs: features.append(inputs[0].dtype))
        head.loss_decode.register_forward_hook(lambda module, inputs, loss: losses.append(loss.dtype))
    runner.train()
    assert features == [torch.bfloat16] * 2
    assert losses == [torch.float32] * 2
    state = runner.model.state_dict()
    assert {value.dtype for key, value in state.items()
            if value.is_floating_point() and not key.endswith('statistics.mean')} == {torch.float32}
    momentum = [entry['momentum_buffer'] for entry in runner.optim_wrapper.optimizer.state.values()]
    assert {buffer.dtype for buffer in momentum} == {torch.float32}


def test_resume_in_bfloat16_equals_the_uninterrupted_run(configs, tmp_path):
    runner, steps = tiny.train(configs[1], tmp_path / 'whole', SHORT, amp='auto')
    resumed, rest = tiny.train(configs[1], tmp_path / 'rest', SHORT, resume=tmp_path / 'whole/iter_2.pth', amp='auto')
    assert rest == steps[2:]
    assert tiny.differing(tiny.full_state(resumed), tiny.full_state(runner)) == []


def test_training_tool_accepts_amp(configs, single, tmp_path, monkeypatch):
    tiny.run_tool(monkeypatch, 'train.py', configs[1], '--work-dir', tmp_path, '--amp', '--cfg-options',
                  'train_cfg.max_iters=1', 'default_hooks.checkpoint.interval=1', 'visualizer.name=amp')
    first = tiny.logged(tmp_path)[1]['loss']
    exact = single[1][0]['losses']['loss']
    assert first != exact
    assert first == pytest.approx(exact, rel=0.02)
    meta = torch.load(tmp_path / 'iter_1.pth', weights_only=False)['meta']
    assert '--amp' in meta['runs'][-1]['command']  # the config stays as it came
    assert Config.fromstring(meta['cfg'], '.py').optim_wrapper.type == 'OptimWrapper'


@pytest.mark.parametrize('dtype', [None, 'bfloat16'])
@pytest.mark.parametrize('wrapper', [dict(), dict(type='OptimWrapper'),
                                     dict(type='AmpOptimWrapper', loss_scale='dynamic', dtype='float16')])
def test_only_precision_keys_of_the_config_change(wrapper, dtype):
    cfg = config(**wrapper, accumulative_counts=2, clip_grad=dict(max_norm=1))
    enable_amp(cfg, dtype)
    assert cfg.optim_wrapper.to_dict() == dict(type='BFloat16OptimWrapper', optimizer=dict(type='SGD', lr=1),
                                               accumulative_counts=2, clip_grad=dict(max_norm=1))


def test_enable_amp_is_idempotent():
    cfg = config(type='OptimWrapper')
    enable_amp(cfg)
    once = cfg.to_dict()
    enable_amp(cfg)
    assert cfg.to_dict() == once


def test_float16_on_a_cpu_is_an_error_with_a_remedy(configs, tmp_path):
    with pytest.raises(ValueError, match='float16 training needs a GPU. Use --amp bfloat16 on a CPU'):
        tiny.build(configs[1], tmp_path, amp='float16')


def test_an_unknown_optimizer_wrapper_is_an_error_that_names_it(configs, tmp_path):
    with pytest.raises(ValueError, match="needs optim_wrapper.type='OptimWrapper', but the config has "
                                         "'ApexOptimWrapper'"):
        tiny.build(configs[1], tmp_path, {'optim_wrapper.type': 'ApexOptimWrapper'}, amp='auto')
