"""Remedies in error and log messages work as printed: configs merge the options, tools and classes take the rest."""

import argparse
import ast
import functools
import inspect
import re
import shlex
from types import SimpleNamespace

import pytest
from helpers import tiny
from helpers.documents import ROOT
from mmengine.config import Config
from mmengine.registry import DATASETS, HOOKS, LOOPS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS, VISBACKENDS

from isda_seg import compat
from isda_seg.runtime.config_keys import READ, add_cfg_options, merge_options
from isda_seg.runtime.launch import load_config

compat.prepare()

SOURCES = sorted([*ROOT.glob('isda_seg/**/*.py'), *ROOT.glob('tools/*.py'), *ROOT.glob('tools/benchmarks/*.py')])
CONFIGS = {
    'cityscapes': 'configs/cityscapes/pspnet_r50-d8_isda_4xb2-40k_cityscapes-769x769.py',
    'camvid': 'configs/camvid/pspnet_mobilenetv2-d16_isda_1xb4-1k_camvid-208x176.py',
    'demo': 'configs/demo/pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py',
    'cifar10': 'configs/classification/cifar10/resnet32_isda_cifar10.py',
    'semi': 'configs/semi/cifar10/te_isda_cifar10.py'}
OPTION = re.compile(rf'(?<![\w.])((?:{"|".join(sorted(READ))})(?:\.\w+)+)=([\w.\'\[\]]+)')
FLAG = re.compile(r'(?<![\w-])--[a-z][a-z_-]+')
SHELL = {'--shm-size', '--env', '--no-build-isolation', '--nproc_per_node'}  # options of docker, pip and torchrun
ASSIGNMENT = re.compile(r'(?<![\w.])([a-z]\w*)=(?!\{)')
NOT_KEYS = {'tau', 'lambda', 'isda', 'type', 'max_epochs', 'map_location', 'color_type',
            'nproc_per_node'}  # formulas, and keys of OpenMMLab and torch


@functools.cache
def messages():
    """(file, text) of every string of the sources that is not a docstring; {} stands for an inserted value."""
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        inside = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
        documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
        inside |= {id(node.body[0].value) for node in ast.walk(tree) if isinstance(node, documented)
                   and node.body and isinstance(node.body[0], ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in inside:
                continue
            if isinstance(node, ast.JoinedStr):
                found.append((path, ''.join(getattr(value, 'value', None) if isinstance(value, ast.Constant) else '{}'
                                            for value in node.values)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append((path, node.value))
    return [(str(path.relative_to(ROOT)), text) for path, text in found
            if ' ' in text and path.name != 'slurm.py' and 'SBATCH_ARGS' not in text]  # options of sbatch


def endings(tree, source):
    """The last characters of the messages of raised errors, sys.exit and parser.error, in the source."""
    for node in ast.walk(tree):
        call = node.exc if isinstance(node, ast.Raise) else node
        if isinstance(node, ast.Raise) or getattr(getattr(node, 'func', None), 'attr', None) in ('exit', 'error'):
            for message in getattr(call, 'args', ()):
                yield ast.get_source_segment(source, message).rstrip(')')[-3:]


def options():
    """The options KEY=VALUE with a value, each once."""
    return sorted({f'{key}={value}'.rstrip('.') for _, text in messages() for key, value in OPTION.findall(text)})


def parsed(option):
    """The option as the command line reads it."""
    parser = argparse.ArgumentParser()
    add_cfg_options(parser)
    return parser.parse_args(['--cfg-options', option]).cfg_options


def dicts_in(text):
    """The complete expressions dict(...) of a message."""
    for start in (match.start() for match in re.finditer(r'(?<![\w(=])dict\(', text)):
        for end in (match.end() for match in re.finditer(r'\)', text[start:])):
            try:
                expression = ast.parse(text[start:start + end], mode='eval')
            except SyntaxError:
                continue
            yield expression
            break


def printed_types():
    """The dicts with a type in all messages: (file, type, keys)."""
    for path, text in messages():
        for expression in dicts_in(text.replace('{}', 'PLACE')):
            for node in ast.walk(expression):
                keys = {keyword.arg: keyword.value for keyword in getattr(node, 'keywords', ())}
                if isinstance(keys.get('type'), ast.Constant):
                    yield path, keys['type'].value, tuple(sorted(keys.keys() - {'type'}))


def arguments(kind):
    """The names that a class takes, its base classes included."""
    return {name for base in kind.__mro__ if '__init__' in vars(base)
            for name in inspect.signature(base.__init__).parameters}


def test_no_error_message_ends_with_a_full_stop():
    source = "raise ValueError(f'{a} b.')\nsys.exit('a'\n 'b.')\nraise OSError('a' + ('b' if c else 'c.'))\nraise"
    assert [ending[-2:] for ending in endings(ast.parse(source), source)] == [".'"] * 3
    found = {path: list(endings(ast.parse(text), text)) for path in [*SOURCES, *ROOT.glob('tools/docs/*.py')]
             if (text := path.read_text())}
    assert sum(map(len, found.values())) > 300
    assert [str(path) for path, ends in found.items() if any(re.search(r"""[^.]\.['"]$""", end) for end in ends)] == []


def test_there_are_remedies_of_every_kind():
    assert {'optim_wrapper.clip_grad.max_norm=10', 'train_dataloader.drop_last=False'} <= set(options())
    assert {name for _, name, _ in printed_types()} >= {'isda_seg.hooks.ISDAHook', 'TensorboardVisBackend', 'SemiHook'}


@pytest.mark.parametrize('option', options())
@pytest.mark.parametrize('config', CONFIGS)
def test_printed_options_merge_into_every_product_config(config, option, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cfg = load_config(CONFIGS[config], parsed(option), str(tmp_path))
    (key, value), = parsed(option).items()
    assert tiny.flat(cfg.to_dict())[key] == value


@pytest.mark.parametrize('option', options())
def test_a_run_with_a_printed_option_trains(option, tmp_path):
    config, _ = tiny.write_configs(tmp_path)
    runner, steps = tiny.train(config, tmp_path / 'work', {'train_cfg.max_iters': 1, **parsed(option)})
    assert len(steps) == 1 and runner.iter == 1


@pytest.mark.parametrize('path, name, keys', sorted(set(printed_types())))
def test_printed_dicts_name_a_type_that_takes_their_keys(path, name, keys):
    from mmseg.utils import register_all_modules

    import isda_seg.hooks
    import isda_seg.segmentation
    import isda_seg.semi  # noqa: F401
    register_all_modules(init_default_scope=False)
    registries = (MODELS, HOOKS, LOOPS, DATASETS, METRICS, OPTIM_WRAPPERS, TRANSFORMS, VISBACKENDS)
    found = [kind for registry in registries if (kind := registry.get(name)) is not None]
    kind = found[0] if found else getattr(__import__(name.rpartition('.')[0], fromlist=['x']), name.rpartition('.')[2])
    assert set(keys) - arguments(kind) == set(), f'{path}: {name}'


def test_printed_flags_are_options_of_a_tool():
    known = {word for path in [*SOURCES, *ROOT.glob('tools/**/*.sh')]
             for word in re.findall(r"'(--[a-z][a-z-]+)'", path.read_text())}
    assert {flag for _, text in messages() for flag in FLAG.findall(text)} - known - SHELL == set()


def test_printed_keywords_are_arguments_of_the_package():
    known = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            known |= {argument.arg for argument in [*node.args.args, *node.args.kwonlyargs]} \
                if isinstance(node, ast.FunctionDef) else set()
    assert {'load_statistics', 'sync', 'lambda_0'} <= known
    printed = {name for _, text in messages() if 'pip install' not in text for name in ASSIGNMENT.findall(text)}
    assert sorted(printed - known - READ - NOT_KEYS) == []


def test_options_below_none_and_absent_keys_are_merged():
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapper', clip_grad=None, optimizer=dict(type='SGD', lr=1)),
                      model=dict(type='BaseModule', init_cfg=None), default_hooks=dict()))
    merge_options(cfg, {
        'optim_wrapper.clip_grad.max_norm': 10, 'optim_wrapper.paramwise_cfg.custom_keys.head.lr_mult': 2,
        'model.init_cfg.type': 'Pretrained', 'default_hooks.stop.type': 'EarlyStoppingHook',
        'default_hooks.stop.monitor': 'mIoU', 'val_cfg.fp16': False})
    assert cfg.to_dict() == dict(
        optim_wrapper=dict(type='OptimWrapper', clip_grad=dict(max_norm=10), optimizer=dict(type='SGD', lr=1),
                           paramwise_cfg=dict(custom_keys=dict(head=dict(lr_mult=2)))),
        model=dict(type='BaseModule', init_cfg=dict(type='Pretrained')), val_cfg=dict(fp16=False),
        default_hooks=dict(stop=dict(type='EarlyStoppingHook', monitor='mIoU')))


@pytest.mark.parametrize('option, message', [
    ('optim_wrapper.clip.max_norm', 'optim_wrapper has no clip; did you mean clip_grad'),
    ('load_from.path', 'load_from is not a dict, so it has no path'),
    ('model.backbne.depth', 'model has no backbne; did you mean backbone')])
def test_an_option_that_the_type_does_not_take_is_still_refused(option, message):
    cfg = Config(dict(optim_wrapper=dict(optimizer=dict(), clip_grad=None), load_from=None,
                      model=dict(type='EncoderDecoder', backbone=dict())))
    with pytest.raises(ValueError, match=message):
        merge_options(cfg, {option: 1})


STEPS = 'train_dataloader.dataset.pipeline'
INSERTED = re.compile(rf'(?<![\w.])((?:{"|".join(sorted(READ))})(?:\.\w+)+=(?:"[^"]+"|\[[^]]+\]|\w+))')


def labels_of_training(cfg):
    from isda_seg.segmentation.ignored_labels import check_ignored
    check_ignored(cfg, 'train')


def labels_of_metrics(cfg):
    from isda_seg.segmentation.ignored_labels import check_ignored
    check_ignored(cfg, 'val')


def preprocessor(cfg):
    from isda_seg.segmentation.data_preprocessor import check_preprocessor
    check_preprocessor(cfg, training=True)


def resumed_seed(cfg):
    from isda_seg.runtime.reproducible import IterationSeedHook
    sampler = SimpleNamespace(seed=(cfg.randomness or {}).get('seed'))
    loader = SimpleNamespace(batch_sampler=SimpleNamespace(sampler=sampler))
    IterationSeedHook().before_train(SimpleNamespace(train_dataloader=loader, seed=7))


def changed_config(changes):
    """A segmentation config that passes every check, with other values, {dotted key: value}."""
    cfg = Config(dict(
        default_scope='mmseg', val_evaluator=dict(type='IoUMetric', ignore_index=11), randomness=dict(seed=7),
        model=dict(decode_head=dict(num_classes=11, ignore_index=11),
                   data_preprocessor=dict(type='SegDataPreProcessor', size=(6, 6), seg_pad_val=11)),
        train_dataloader=dict(dataset=dict(pipeline=[]))))
    cfg.merge_from_dict(changes)
    return cfg


def refusal(check, cfg, monkeypatch):
    """The error or the warnings of a check; '' if it accepts the config."""
    said = []
    monkeypatch.setattr('isda_seg.segmentation.ignored_labels.print_log', lambda text, *_: said.append(text))
    try:
        check(cfg)
    except ValueError as error:
        said.append(str(error))
    return ' '.join(said)


@pytest.mark.parametrize('check, changes', [
    (labels_of_training, {STEPS: [dict(type='RandomRotate', prob=1, degree=9)]}),
    (labels_of_training, {STEPS: [dict(type='RandomRotate', prob=1, degree=9, seg_pad_val=3)]}),
    (labels_of_training, {STEPS: [dict(type='RandomFlip'), dict(type='Pad', size=(9, 9))]}),
    (labels_of_training, {STEPS: [dict(type='Pad', size=(9, 9), pad_val=dict(img=3))]}),
    (labels_of_training, {STEPS: [dict(type='RandomCutOut', prob=1, n_holes=1, cutout_shape=(2, 2), seg_fill_in=99)]}),
    (labels_of_training, {'model.data_preprocessor.seg_pad_val': 255}),
    (labels_of_training, {'model.auxiliary_head': dict(num_classes=11)}),
    (labels_of_training, {'model.auxiliary_head': [dict(num_classes=11, ignore_index=11), dict(num_classes=11)]}),
    (labels_of_metrics, {'val_evaluator.ignore_index': 255}),
    (labels_of_metrics, {'val_evaluator': [dict(type='IoUMetric')]}),
    (preprocessor, {'model.data_preprocessor.size': None}),
    (preprocessor, {'model.data_preprocessor.size_divisor': 4}),
    (preprocessor, {'model.data_preprocessor.test_cfg': dict(mode='whole')}),
    (resumed_seed, {'randomness.seed': 3}), (resumed_seed, {'randomness': None})])
def test_options_with_inserted_keys_and_values_end_their_message(check, changes, monkeypatch):
    message = refusal(check, changed_config(changes), monkeypatch)
    assert (found := INSERTED.findall(message)), message
    for option in found:
        cfg = changed_config(changes)
        merge_options(cfg, parsed(*shlex.split(option)))
        assert refusal(check, cfg, monkeypatch) == ''
