"""Every config belongs to the task that checks its data and evaluates it."""
import pytest
import torch
from helpers import tiny, tiny_images
from mmengine.config import Config
from mmengine.runner import Runner

from isda_seg.run import task_name, task_of
from isda_seg.runtime.launch import load_config

ALL = ('single', 'ms', 'ms-flip')


@pytest.mark.parametrize('config, task, protocols', [
    (dict(model=dict(type='ImageClassifier'), default_scope='mmseg'), 'classification', ('single',)),
    (dict(model=dict(type='SemiClassifier')), 'classification', ('single',)),
    (dict(model=dict(type='EncoderDecoder'), default_scope='mmseg'), 'segmentation', ALL),
    pytest.param(dict(model=dict(type='MaskRCNN'), default_scope='mmdet'), 'detection', ('single',),
                 marks=pytest.mark.mmdet),
    (dict(model=dict(type='Other'), default_scope='mmpose'), None, ALL),
    (dict(), None, ALL)])
def test_a_config_belongs_to_the_task_of_its_model_or_scope(config, task, protocols):
    assert (task_name(Config(config)), task_of(Config(config)).protocols) == (task, protocols)


DETECTOR = dict(model=dict(type='MaskRCNN'), default_scope='mmdet')


@pytest.mark.parametrize('config, options, message', [
    (dict(model=dict(type='ImageClassifier')), dict(show_dir='pictures', show_most=1),
     'classification does not support --show-dir and --show-most. Omit it'),
    (dict(model=dict(type='ImageClassifier')), dict(protocols=('single', 'ms')),
     r"classification supports only the protocol single, got \['single', 'ms'\]"),
    (dict(), dict(taus=[-1]), '--logit-adjustment must be a finite number >= 0, got -1'),
    pytest.param(DETECTOR, dict(protocols=('ms',)), 'detection supports only the protocol single, got',
                 marks=pytest.mark.mmdet),
    pytest.param(DETECTOR, dict(taus=[0.5]), 'detection does not support --logit-adjustment. Omit it',
                 marks=pytest.mark.mmdet)])
def test_options_that_a_task_does_not_support_are_errors(config, options, message):
    with pytest.raises(ValueError, match=message):
        task_of(Config(config)).arguments(**dict(dict(protocols=('single',)), **options))


def test_only_given_options_reach_the_evaluation():
    none = dict(show_dir=None, show_most=None, taus=None)
    assert task_of(Config(dict(model=dict(type='ImageClassifier')))).arguments(['single'], print, **none) == {}
    assert task_of(Config()).arguments(['ms'], print, **none) == dict(protocols=('ms',), keep=print)


def test_a_detector_is_known_without_mmdetection():
    assert task_name(Config(dict(model=dict(type='MaskRCNN'), default_scope='mmdet'))) == 'detection'


@tiny.on_cpu
def test_work_directory_and_checkpoints_keep_the_original_config(tmp_path, monkeypatch):
    config, work = tiny.write_configs(tmp_path)[1], tmp_path / 'work'
    tiny.train(config, work, {'train_cfg.max_iters': 2}, amp='bfloat16')
    tiny.train(work / config.name, work, {'train_cfg.max_iters': 4}, resume=work / 'iter_2.pth')
    wanted = load_config(str(config), {'train_cfg.max_iters': 4}, str(work))
    kept = Config.fromfile(work / config.name)
    for name in ('model', 'train_dataloader', 'optim_wrapper', 'default_hooks', 'train_cfg', 'val_evaluator'):
        assert kept[name] == wanted[name], name
    assert kept.get('custom_hooks') is None
    meta = torch.load(work / 'iter_4.pth', weights_only=False)['meta']
    assert Config.fromstring(meta['cfg'], '.py').default_hooks == wanted.default_hooks
    kept.visualizer.name = kept.experiment_name = 'set by the framework'
    framework = Runner.from_cfg(kept)  # the Runner of OpenMMLab
    assert [type(hook).__name__ for hook in framework.hooks].count('RunRecordHook') == 0


@tiny.on_cpu
def test_too_few_images_for_a_batch_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv('ISDA_SEG_DATA', str(tiny_images.write_cifar(tmp_path).parent))
    options = {'train_dataloader.dataset.split': 'train', 'train_dataloader.dataset.indices': 30,
               'train_dataloader.drop_last': True, 'val_dataloader.dataset.split': 'test'}
    with pytest.raises(ValueError, match='yields no batch: 30 training images do not fill a batch of 64'):
        tiny.build(tiny.ROOT / 'configs' / 'miniature' / 'resnet8_cifar10-1k.py', tmp_path / 'work', options)


@tiny.on_cpu
@pytest.mark.parametrize('options', [
    {'model.pretrained': 'FILE'}, {'model.backbone.init_cfg.type': 'Pretrained',
                                   'model.backbone.init_cfg.checkpoint': 'FILE'}])
def test_damaged_pretrained_weights_are_an_error_that_names_the_file(tmp_path, options):
    plain, _ = tiny.write_configs(tmp_path)
    file = tmp_path / 'weights.pth'
    torch.save(dict(model=dict(weight=torch.zeros(500))), file)  # for backbones that read this entry
    options = {key: value.replace('FILE', str(file)) for key, value in options.items()}
    assert tiny.build(plain, tmp_path / 'work', options).cfg.model.type == 'EncoderDecoder'
    file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(ValueError, match=f'^{file} is truncated, damaged or not a checkpoint. Use another file'):
        tiny.build(plain, tmp_path / 'work', options)
