"""Configs of the robust losses train; with lambda_0 = 0 they equal their baselines; resume is exact."""
import pytest
from helpers import tiny, tiny_images
from helpers.exhaustive import exhaustive

pytestmark = tiny.on_cpu

LOSSES = ['center', 'distribution-net', 'disturb-label', 'dropout', 'focal', 'label-smoothing', 'large-margin', 'lq']
NET = dict(type='DistributionNetLoss', map_size=4)
WITH_STATE = {'large-margin_isda': dict(type='CenterLoss'), 'disturb-label': NET}


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp('data')
        tiny_images.write_cifar(folder)
        patch.setenv('ISDA_SEG_DATA', str(folder))
        yield


def trained(name, work, epochs=1, lambda_0=None, feature_loss=None, resume=None):
    """Two steps an epoch; the steps, and the state by the names that it has without ISDA."""
    def change(cfg):
        checkpoint = dict(cfg.default_hooks.checkpoint, interval=1, max_keep_ckpts=-1)
        tiny_images.few(cfg, train=8, batch=4, epochs=epochs)
        cfg.default_hooks.checkpoint = checkpoint if feature_loss else None
        cfg.param_scheduler = [dict(type='ConstantLR', factor=0.1)]
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
            loader.dataset.update(split='train', holdout=0)
        if feature_loss is not None:
            cfg.model.feature_loss = feature_loss
        if lambda_0 is not None:
            cfg.default_hooks.isda.lambda_0 = lambda_0

    path = tiny.ROOT / 'configs' / 'miniature' / f'resnet8_{name}_cifar10-1k.py'
    runner, steps = tiny.train(path, work, change=change, resume=resume)
    state = {key.replace('loss.base.', 'loss.'): value for key, value in tiny.full_state(runner).items()}
    return steps, state


@exhaustive('name', LOSSES)
def test_lambda_0_of_0_trains_bitwise_like_the_baseline(name, data, tmp_path):
    steps, state = trained(f'{name}_isda', tmp_path / 'isda', lambda_0=0)
    plain_steps, plain_state = trained(name, tmp_path / 'plain')
    assert [step['iter'] for step in steps] == [0, 1]
    assert steps == plain_steps
    assert {key for key in tiny.differing(state, plain_state) if '.statistics.' not in key} == set()


@exhaustive('name', WITH_STATE)
def test_resume_is_bitwise_exact(name, data, tmp_path):
    steps, state = trained(name, tmp_path / 'whole', epochs=2, feature_loss=WITH_STATE[name])
    rest, resumed = trained(name, tmp_path / 'rest', epochs=2, feature_loss=WITH_STATE[name],
                            resume=tmp_path / 'whole' / 'epoch_1.pth')
    assert [step['iter'] for step in rest] == [2, 3]
    assert rest == steps[2:]
    assert tiny.differing(resumed, state) == []
    kept = {'large-margin_isda': ('model.loss.steps', 'model.feature_loss.centers'),
            'disturb-label': ('model.feature_loss.spread.weight',)}[name]
    assert set(kept) <= set(state)
