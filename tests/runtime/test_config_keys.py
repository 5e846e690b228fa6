"""Known keys are accepted, new or not; unknown keys and options that are dicts are errors."""
import argparse

import pytest
from helpers import tiny
from mmengine.config import Config

import isda_seg.hooks  # noqa: F401  (registers ISDAHook)
from isda_seg.runtime.config_keys import OptionsAction, check_arguments, check_names, check_options, merge_options
from isda_seg.runtime.launch import load_config


@pytest.fixture
def cfg():
    return Config(dict(
        model=dict(type='ImageClassifier', loss=dict(type='ISDALoss', lambda_0=0.5)), train_pipeline=[],
        train_dataloader=dict(dataset=dict(pipeline=[dict(type='Cutout', length=16)])), param_scheduler=[dict(gamma=1)],
        default_hooks=dict(isda=dict(type='ISDAHook')), load_from=None))


@pytest.mark.parametrize('option', [
    'model.loss.covariance', 'model.loss.lambda_0', 'model.eta_1', 'default_hooks.isda.ramp', 'param_scheduler.0.gamma',
    'train_dataloader.dataset.num_labels', 'train_dataloader.dataset.pipeline.0.length', 'load_from', 'model',
    'randomness.deterministic', 'env_cfg.dist_cfg.backend', 'find_unused_parameters', 'sync_bn'])
def test_known_key_is_accepted_even_if_the_config_lacks_it(cfg, option):
    before = cfg.to_dict()
    assert check_options(cfg, [option]) is None
    assert cfg.to_dict() == before


@pytest.mark.parametrize(('option', 'message'), [
    ('modle.loss.covariance', r'unknown option modle.loss.covariance: did you mean model\?'),
    ('model.los.covariance', r'unknown option model.los.covariance: .*model has no los; did you mean loss\?'),
    ('default_hooks.swa.ramp', r'default_hooks has no swa; the known keys are isda'),
    ('train_dataloader.dataset.pipeline.0.inner.length', r'train_dataloader.dataset.pipeline.0 has no inner'),
    ('lambda_0', 'unknown option lambda_0: the known keys are .*model'),
    ('train_pipeline', 'the option train_pipeline has no effect: .*Set the keys that received its value')])
def test_unknown_option_is_an_error_with_a_suggestion(cfg, option, message):
    with pytest.raises(ValueError, match=message):
        check_options(cfg, ['model.eta_1', option])


def test_errors_in_lists_and_values_are_left_to_mmengine(cfg):
    for option, error in (('param_scheduler.3.gamma', KeyError), ('model.type.inner', TypeError)):
        assert check_options(cfg, [option]) is None
        with pytest.raises(error, match='3|type'):
            cfg.merge_from_dict({option: 1})


@pytest.mark.parametrize('key, meant', [
    ('default_hook', 'default_hooks'), ('visualiser', 'visualizer'), ('param_schedulers', 'param_scheduler'),
    ('vis_backend', 'vis_backends'), ('train_config', 'train_cfg')])
def test_misspelt_key_of_a_config_file_is_an_error_with_a_suggestion(tmp_path, key, meant):
    path = tmp_path / 'config.py'
    path.write_text(f'{key} = dict(a=1)\n')
    with pytest.raises(ValueError, match=f'unknown key {key} in {path}: did you mean {meant}?'):
        check_names(Config.fromfile(path))


@pytest.mark.parametrize('text', ["models = [dict(type='A')]\nmodel = models[0]\n", 'crop_size = (4, 4)\n'])
def test_variable_of_a_config_file_is_not_a_misspelt_key(tmp_path, text):
    path = tmp_path / 'config.py'
    path.write_text(text)
    assert check_names(Config.fromfile(path)) is None


def segmenter(**changes):
    """A config of MMSegmentation with many kinds of dicts, and with changes, {dotted key: value}."""
    norm_cfg = dict(type='BN', requires_grad=True)
    cfg = Config(dict(
        default_scope='mmseg', randomness=dict(seed=0), env_cfg=dict(cudnn_benchmark=True),
        model=dict(
            type='EncoderDecoder', test_cfg=dict(mode='whole'), backbone=dict(
                type='ResNetV1c', depth=18, norm_cfg=norm_cfg,
                init_cfg=[dict(type='Kaiming', layer='Conv2d', override=dict(type='Normal', name='conv1', std=1))]),
            decode_head=dict(type='PSPHead', in_channels=8, channels=8, num_classes=3, act_cfg=dict(type='ReLU'),
                             loss_decode=dict(type='CrossEntropyLoss'))),
        train_dataloader=dict(
            batch_size=2, sampler=dict(type='InfiniteSampler', shuffle=True), collate_fn=dict(type='pseudo_collate'),
            dataset=dict(type='RepeatDataset', times=2, dataset=dict(
                type='BaseSegDataset', pipeline=[dict(type='LoadImageFromFile'), dict(type='Pad', size=(9, 9))]))),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=1), paramwise_cfg=dict(custom_keys={'head': dict(lr_mult=2)}),
                           clip_grad=dict(max_norm=1)),
        param_scheduler=[dict(type='PolyLR', power=0.9, by_epoch=True, convert_to_iter_based=True)],
        train_cfg=dict(type='IterBasedTrainLoop', max_iters=3), val_evaluator=dict(type='IoUMetric'),
        default_hooks=dict(isda=dict(type='ISDAHook', covariance='full', priority='LOW'),
                           checkpoint=dict(type='CheckpointHook', save_best='mIoU', max_keep_ckpts=3)),
        visualizer=dict(type='SegLocalVisualizer', name='x', vis_backends=[dict(type='LocalVisBackend')])))
    cfg.merge_from_dict(changes)
    return cfg


DATASET = 'train_dataloader.dataset'
TYPOS = {
    'train_dataloader.sampler.shufle': 'shuffle', 'param_scheduler.0.powr': 'power',
    'model.backbone.norm_cfg.requires_gard': 'requires_grad',
    'model.backbone.norm_cfg.momentun': 'momentum',
    'model.decode_head.act_cfg.inplce': 'inplace', 'model.decode_head.chanels': 'channels',
    'model.backbone.init_cfg.0.distributon': 'distribution',
    'optim_wrapper.paramwise_cfg.norm_decay_mul': 'norm_decay_mult', 'optim_wrapper.clip_grad.max_nrom': 'max_norm',
    'optim_wrapper.paramwise_cfg.custom_keys.head.lr_mlt': 'lr_mult', 'optim_wrapper.optimizer.momentm': 'momentum',
    'optim_wrapper.acumulative_counts': 'accumulative_counts', 'train_cfg.max_iter': 'max_iters',
    'train_dataloader.batchsize': 'batch_size', f'{DATASET}.dataset.pipline': 'pipeline', f'{DATASET}.time': 'times',
    f'{DATASET}.dataset.pipeline.1.pad_vall': 'pad_val', 'val_evaluator.iou_metric': 'iou_metrics',
    'default_hooks.checkpoint.save_bset': 'save_best', 'default_hooks.isda.by_epch': 'by_epoch',
    'env_cfg.cudnn_benchmrk': 'cudnn_benchmark', 'randomness.determinstic': 'deterministic',
    'visualizer.vis_backend': 'vis_backends', 'visualizer.vis_backends.0.img_save_dr': 'img_save_dir'}


def test_arguments_of_types_and_of_their_builders_are_known():
    assert check_arguments(segmenter()) is None


@pytest.mark.parametrize('key, meant', TYPOS.items())
def test_a_misspelt_argument_is_an_error_with_the_closest_name(key, meant):
    with pytest.raises(ValueError, match=f'^unknown argument {key}: did you mean {meant}'):
        check_arguments(segmenter(**{key: 1}))


def test_an_argument_unlike_any_other_is_an_error_of_a_closed_class():
    with pytest.raises(ValueError, match=r'^unknown argument train_dataloader.sampler.zzz: the known keys .*shuffle'):
        check_arguments(segmenter(**{'train_dataloader.sampler.zzz': 1}))
    assert check_arguments(segmenter(**{'model.decode_head.zzz': 1, 'default_hooks.checkpoint.zzz': 1})) is None


def test_a_misspelt_argument_stops_a_run_before_the_work_directory_is_made(tmp_path):
    path = tmp_path / 'config.py'
    path.write_text("train_cfg = dict(type='IterBasedTrainLoop', max_iter=3)\n")
    with pytest.raises(ValueError, match='unknown argument train_cfg.max_iter: did you mean max_iters'):
        load_config(str(path), work_dir=str(tmp_path / 'work'))
    assert not (tmp_path / 'work').exists()


@pytest.mark.parametrize('key', [
    f'{DATASET}.dataset.pipeline.0.backend_args.timeout', f'{DATASET}.dataset.pipeline.1.pad_val.seg',
    f'{DATASET}.dataset.metainfo.reduce_zero_label', f'{DATASET}.dataset.data_prefix.img_path',
    'train_dataloader.batch_sampler.type', 'model.decode_head.sampler.type', 'model.backbone.conv_cfg.type'])
def test_options_below_absent_arguments_of_any_type_are_merged(key):
    cfg = segmenter()
    merge_options(cfg, {key: 'x'})
    assert tiny.flat(cfg.to_dict())[key] == 'x'
    with pytest.raises(ValueError, match='unknown option .*zzz'):
        merge_options(cfg, {f'{key.rpartition(".")[0].rpartition(".")[0]}.zzz.x': 1})


def parsed(*options):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def test_numbers_strings_and_lists_are_parsed():
    assert parsed('a.b=1', 'c=[1,2]', 'd=text', 'e=(0.5,x)') == {'a.b': 1, 'c': [1, 2], 'd': 'text', 'e': (0.5, 'x')}


@pytest.mark.parametrize('text', ['model_{}.pth', '{}.pth', 'best{x}'])
def test_text_with_a_placeholder_is_a_value(text):
    assert parsed(f'a={text}', f'b=[c,{text}]') == {'a': text, 'b': ['c', text]}


@pytest.mark.parametrize('text', ["a={'b': {'c': 1}, 'd': 2}", 'a=dict(b=dict(c=1))', "a=[{'b': 1}, {'c': 2}]",
                                  'a={}', 'a=[b,{c:1}]'])
def test_dict_value_is_an_error_that_suggests_nested_keys(text, capsys):
    with pytest.raises(SystemExit):
        parsed(text)
    assert '--cfg-options a: dicts are not supported as values. Set its keys one by one: a.a=1 a.b=2' in \
        capsys.readouterr().err


def test_argument_without_equals_sign_is_an_error(capsys):
    with pytest.raises(SystemExit):
        parsed('model.loss')
    assert "--cfg-options takes KEY=VALUE, got 'model.loss'" in capsys.readouterr().err
