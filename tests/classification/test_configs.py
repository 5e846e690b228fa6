"""Every classification config matches its table row, builds, and takes a training step."""

import pytest
import torch
from helpers import tiny, tiny_images
from helpers.exhaustive import exhaustive
from mmengine.config import Config
from mmengine.registry import MODELS

from docs import classification_configs
from isda_seg import compat
from isda_seg.losses import wrap_with_isda
from isda_seg.openmmlab.wrapping import wrap_losses
from isda_seg.paper.tables import CIFAR, IMAGENET

compat.prepare()

CONFIGS = sorted(tiny_images.CLASSIFICATION.rglob('*.py'))
ISDA = [path for path in CONFIGS if '_isda' in path.stem]
DATASETS = {'cifar10': 10, 'cifar100': 100, 'imagenet': 1000, 'cifar10_subset': 10}
CHANNELS = {'resnet32': 64, 'resnet110': 64, 'se-resnet110': 64, 'wrn16-8': 512, 'wrn28-10': 640,
            'resnext29-8x64d': 1024, 'densenet-bc-100-12': 342, 'shake-shake26-2x32d': 128,
            'shake-shake26-2x112d': 448, 'resnet50': 2048, 'resnet101': 2048, 'resnet152': 2048,
            'densenet-bc-121': 1024, 'densenet-bc-265': 2688, 'resnext50-32x4d': 2048, 'resnext101-32x8d': 2048}
HOOK = {f'default_hooks.isda.{key}' for key in ('type', 'lambda_0', 'covariance')}
SIZE = 64  # of ImageNet's crops here


def names(path):
    return f'{path.parent.name}/{path.stem}'


def twin(path):
    return path.with_name(path.name.replace('_isda', ''))


def test_the_files_are_those_that_the_tables_give():
    generated = classification_configs.render(tiny.ROOT)
    assert {path.relative_to(tiny.ROOT).as_posix(): path.read_text() for path in CONFIGS} == generated


def test_every_row_of_tables_1_2_and_4_has_its_configs():
    found = {name: [path.stem for path in CONFIGS if path.parent.name == name] for name in DATASETS}
    assert {name: len(stems) for name, stems in found.items()} == {
        'cifar10': 2 * (9 + 9), 'cifar100': 2 * (9 + 9), 'imagenet': 2 * 7, 'cifar10_subset': 2}
    assert {stem.split('_')[0] for stems in found.values() for stem in stems} == set(CHANNELS)


@exhaustive('path', CONFIGS, kind=lambda path: (path.parent.name, '_isda' in path.stem), ids=names)
def test_every_config_builds_a_classifier_that_isda_attaches_to(path):
    cfg = Config.fromfile(path)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert (model.num_classes, model.fc.out_features) == (DATASETS[path.parent.name],) * 2
    assert model.fc.in_features == CHANNELS[path.stem.split('_')[0]]
    hook = cfg.default_hooks.get('isda', {})
    if hook:
        assert [pair.classifier for pair in wrap_losses(model, wrap_with_isda(hook.lambda_0))[0]] == [model.fc]
    assert hook.get('lambda_0') == (
        None if '_isda' not in path.stem else 0.5 if path.parent.name != 'imagenet' else
        {'resnet101': 5, 'densenet-bc-121': 1, 'densenet-bc-265': 1}.get(path.stem.split('_')[0], 7.5))


def recipe(cfg):
    schedule, optimizer = cfg.param_scheduler[0], cfg.optim_wrapper.optimizer
    return (cfg.train_cfg.max_epochs, cfg.train_dataloader.batch_size, optimizer.weight_decay, optimizer.lr,
            *(schedule.get(key) for key in ('milestones', 'gamma', 'T_max')))


@pytest.mark.parametrize('stem, expected', [
    ('resnet32', (160, 128, 1e-4, 0.1, [80, 120], 0.1, None)),
    ('se-resnet110', (200, 128, 1e-4, 0.1, [80, 120, 160], 0.1, None)),
    ('wrn28-10', (240, 128, 5e-4, 0.1, [60, 120, 160, 200], 0.2, None)),
    ('densenet-bc-100-12', (300, 64, 1e-4, 0.1, [150, 200, 250], 0.1, None)),
    ('resnext29-8x64d', (350, 128, 5e-4, 0.05, [150, 225, 300], 0.1, None)),
    ('shake-shake26-2x112d_autoaugment', (1800, 64, 1e-4, 0.1, None, None, 1800))])
def test_the_recipes_are_those_of_section_6_1(stem, expected):
    for name in ('cifar10', 'cifar100'):
        cfg = Config.fromfile(tiny_images.CLASSIFICATION / name / f'{stem}_{name}.py')
        assert recipe(cfg) == expected
        assert (cfg.optim_wrapper.optimizer.nesterov, cfg.optim_wrapper.optimizer.momentum) == (True, 0.9)


def test_imagenet_trains_512_images_at_a_time_on_8_gpus_without_nesterov():
    paths = [path for path in CONFIGS if path.parent.name == 'imagenet']
    assert {recipe(Config.fromfile(path))[:4] for path in paths} == {(300, 64, 1e-4, 0.2)}
    assert {Config.fromfile(path).optim_wrapper.optimizer.nesterov for path in paths} == {False}
    assert all(path.read_text().split('"""')[1].count(f'{path.name} 8\n') == 1 for path in paths)


@pytest.mark.parametrize('path', ISDA, ids=names)
def test_without_the_isda_keys_a_config_is_its_twin(path):
    isda, plain = (tiny.flat(Config.fromfile(file).to_dict()) for file in (path, twin(path)))
    assert set(tiny.differing(isda, plain)) == HOOK
    assert isda['default_hooks.isda.type'] == 'isda_seg.hooks.ISDAHook'


@pytest.mark.parametrize('path', ISDA, ids=names)
def test_twin_configs_refer_to_each_other(path):
    docstring, plain = (p.read_text().split('"""')[1] for p in (path, twin(path)))
    assert docstring.count(f'/{path.name}') == 1
    assert docstring.count(f'Baseline:  {twin(path).name};') == 1
    assert plain.count(f'With ISDA: {path.name}') == 1


def change(cfg):
    tiny_images.few(cfg, train=2, batch=2)
    tiny_images.resized(cfg, SIZE)


NETWORKS = [path for path in ISDA if path.stem.count('_') == 2
            and path.parent.name in ('cifar10', 'imagenet')]


@exhaustive('path', NETWORKS, kind=lambda path: path.parent.name, ids=names)
def test_every_network_takes_a_training_step_and_is_tested(path, data, tmp_path):
    runner, steps = tiny.train(path, tmp_path, change=change)
    assert len(steps) == 1
    loss = runner.model.loss
    assert int(loss.statistics.count.sum()) == 2
    assert loss.strength == loss.lambda_0
    assert steps[0]['losses']['loss'] > 0
    assert set(runner.message_hub.log_scalars) >= {'val/top1_error', 'train/loss', 'train/isda_strength'}


def test_all_networks_of_the_paper_are_tested():
    assert len(NETWORKS) == len(CIFAR) + len(IMAGENET) == 16


@pytest.mark.parametrize('augmentation', ['cutout', 'randaugment', 'autoaugment'])
def test_every_augmentation_reaches_the_network(augmentation, data):
    from mmengine.registry import DATASETS as BUILD
    cfg = Config.fromfile(tiny_images.CLASSIFICATION / 'cifar100' / f'wrn28-10_{augmentation}_cifar100.py')
    dataset = BUILD.build(cfg.train_dataloader.dataset)
    pictures = torch.stack([dataset[0]['inputs'] for _ in range(8)])
    black = (pictures == 0).all(dim=1).flatten(1).sum(dim=1)
    assert (black >= 7 * 7).all()
    assert len(pictures.flatten(1).unique(dim=0)) == 8
