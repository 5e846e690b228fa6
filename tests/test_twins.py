"""An ISDA config is its baseline plus the ISDA keys, and equals it in training for lambda_0 = 0."""

import functools

import pytest
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import Config

from isda_seg.openmmlab.pairs import find_pairs
from isda_seg.runtime.launch import load_config

pytestmark = tiny.on_cpu

CONFIGS = sorted(path for folder in ('demo', 'camvid', 'cityscapes')
                 for path in (tiny.ROOT / 'configs' / folder).glob('*_isda*.py'))
CROP, SCALE, CHANNELS = (65, 65), (96, 72), 8
HOOK_KEYS = {'type', 'lambda_0', 'resolution', 'label_sampling', 'covariance'}
USER_CONFIG = '''_base_ = 'mmseg::pspnet/pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py'
default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))
'''


def names(path):
    return f'{path.parent.name}/{path.stem}'


def folder_of(path):
    return path.parent.name


def twin(path):
    return path.with_name(path.name.replace('_isda', ''))


def settings(path):
    """A loaded config as one flat dict."""
    return tiny.flat(Config.fromfile(path).to_dict())


def assert_only_isda_differs(isda, plain):
    """The two flat configs differ in the ISDA hook alone; logit-adjusted cross-entropy is a hook with lambda_0 = 0."""
    changed = set(tiny.differing(isda, plain))
    if plain.get('default_hooks.isda.lambda_0') == 0:
        assert changed == {'default_hooks.isda.lambda_0'}
    else:
        assert {'default_hooks.isda.type', 'default_hooks.isda.lambda_0'} <= changed
        assert changed <= {f'default_hooks.isda.{key}' for key in HOOK_KEYS}
    assert isda['default_hooks.isda.type'] == 'isda_seg.hooks.ISDAHook'


def heads(cfg):
    """The heads of the model, auxiliary ones last."""
    return [head for head in (cfg.model.decode_head, cfg.model.auxiliary_head) if head is not None]


def shrink(cfg, lambda_0=None):
    """Fewer pixels, channels and steps; losses, normalisers, transforms, hooks and schedules stay the config's."""
    cfg.model.pretrained = None
    cfg.model.data_preprocessor.size = CROP
    backbone = cfg.model.backbone
    backbone.pop('init_cfg', None)
    factor = 1
    if backbone.type == 'ResNetV1c':
        factor = CHANNELS / backbone.get('base_channels', 64)
        backbone.base_channels = backbone.stem_channels = CHANNELS
    if backbone.type == 'FrozenBackbone':
        backbone.backbone.pop('init_cfg')
    for head in heads(cfg):
        if factor != 1:  # of a ResNet, whose heads read one level
            head.in_channels = round(head.in_channels * factor)
        head.channels = CHANNELS
        if 'c1_in_channels' in head:
            head.c1_in_channels = round(head.c1_in_channels * factor)
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
        for key in ('indices', 'sample'):
            loader.dataset.pop(key, None)
        for transform in loader.dataset.pipeline:
            if 'scale' in transform:
                transform.scale = SCALE
            if 'crop_size' in transform:
                transform.crop_size = CROP
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.max_iters, cfg.train_cfg.val_begin = 3, 100
    cfg.default_hooks.logger.interval = 1
    if lambda_0 is not None:
        cfg.default_hooks.isda.lambda_0 = lambda_0


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """run(config, lambda_0) trains three steps on tiny data; gives the steps and the state without statistics."""
    data = tmp_path_factory.mktemp('data')
    tiny.write_camvid(data / 'camvid')
    for name in ('cityscapes', 'streets'):
        tiny.write_cityscapes(data / name)

    @functools.cache
    def trained(path, lambda_0=None):
        runner, steps = tiny.train(path, tmp_path_factory.mktemp('work'),
                                   change=functools.partial(shrink, lambda_0=lambda_0))
        state = tiny.full_state(runner)
        statistics = {key: state.pop(key) for key in list(state) if '.statistics.' in key}
        return steps, state, statistics

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(data))
        yield trained


def test_every_isda_config_has_a_baseline_in_its_folder():
    assert len(CONFIGS) >= 11
    assert [names(path) for path in CONFIGS if not twin(path).is_file()] == []
    assert [names(path) for path in CONFIGS if path.name.count('_isda') != 1] == []


@pytest.mark.parametrize('path', CONFIGS, ids=names)
def test_without_the_isda_keys_a_config_equals_its_baseline(path):
    assert_only_isda_differs(settings(path), settings(twin(path)))


@pytest.mark.parametrize('path', CONFIGS, ids=names)
def test_config_and_baseline_name_each_other(path):
    docstring, plain = (p.read_text().split('"""')[1] for p in (path, twin(path)))
    assert docstring.count(path.name) == 1
    assert docstring.count(f'Baseline:  {twin(path).name}') == 1
    assert plain.count(f'With ISDA: {path.name}') == 1


@exhaustive('path', sorted(CONFIGS, key=lambda path: 'r101' in path.name), kind=folder_of, ids=names)
def test_lambda_0_zero_trains_bitwise_like_the_baseline(run, path):
    steps, state, statistics = run(path, 0)
    plain_steps, plain_state, none = run(twin(path))
    assert [step['iter'] for step in steps] == [0, 1, 2]
    assert steps == plain_steps
    assert tiny.differing(state, plain_state) == []
    assert sum('running_var' in key for key in state) > 10
    assert len(statistics) == 3 * len(heads(Config.fromfile(path)))
    assert none == {} or tiny.differing(none, statistics) == []  # logit-adjusted cross-entropy has statistics too
    assert all(int(value.sum()) > 0 for key, value in statistics.items() if key.endswith('count'))


@exhaustive('path', [path for path in CONFIGS if 'r101' not in path.name], kind=folder_of, ids=names)
def test_lambda_0_changes_the_weights_but_not_the_data(run, path):
    steps, state, _ = run(path)
    plain_steps, plain_state, _ = run(twin(path))
    assert [step['batch'] for step in steps] == [step['batch'] for step in plain_steps]
    names = ('decode', 'aux')[:len(heads(Config.fromfile(path)))]
    assert all(a['losses'][f'{name}.loss_ce'] != b['losses'][f'{name}.loss_ce']
               for a, b in zip(steps, plain_steps, strict=True) for name in names)
    assert steps[0]['losses']['decode.acc_seg'] == plain_steps[0]['losses']['decode.acc_seg']
    changed = tiny.differing(state, plain_state)
    assert {'model.decode_head.conv_seg.weight', 'model.auxiliary_head.conv_seg.weight'} & set(state) <= set(changed)


def test_a_config_based_on_a_package_inherits_its_base(tmp_path):
    (tmp_path / 'mine.py').write_text(USER_CONFIG)
    (tmp_path / 'plain.py').write_text(USER_CONFIG.splitlines()[0])
    mine, plain = (load_config(str(tmp_path / f'{name}.py'), work_dir=str(tmp_path / 'work')).to_dict()
                   for name in ('mine', 'plain'))
    assert_only_isda_differs(tiny.flat(mine), tiny.flat(plain))


def test_a_config_based_on_a_package_trains_with_our_tools(tmp_path):
    (tmp_path / 'mine.py').write_text(USER_CONFIG)
    data = tiny.write_cityscapes(tmp_path / 'cityscapes')

    def change(cfg):
        shrink(cfg)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.data_root = str(data)

    runner, steps = tiny.train(tmp_path / 'mine.py', tmp_path / 'work', change=change)
    assert [pair.name for pair in find_pairs(runner.model)] == ['decode_head', 'auxiliary_head']
    assert [step['iter'] for step in steps] == [0, 1, 2]
    assert runner.model.decode_head.loss_decode.strength == 7.5
    assert runner.model.auxiliary_head.loss_decode.base.loss_weight == 0.4
    for pair in find_pairs(runner.model):
        seen = int(pair.loss.statistics.count.sum())
        assert 0.5 < seen / (3 * 2 * 9 * 9) < 1  # the rest is void
