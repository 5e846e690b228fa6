"""Every semi-supervised config matches its cell of Table 6, builds, and differs from its twin only in ISDA."""

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive
from helpers.tiny_semi import SEMI
from mmengine.config import Config
from mmengine.registry import DATASETS, MODELS

import isda_seg.losses
import isda_seg.semi  # noqa: F401
from docs import semi_configs
from isda_seg.openmmlab.pairs import find_pairs

CONFIGS = sorted(SEMI.rglob('*.py'))
ISDA = [path for path in CONFIGS if '_isda' in path.stem]
CLASSES = {'cifar10': 10, 'cifar100': 100, 'svhn': 10, 'cifar10_subset': 10}
FEWEST = {'cifar10': 1000, 'cifar100': 10000, 'svhn': 500, 'cifar10_subset': 1000}  # labels
TYPES = {'pi': 'PiModel', 'te': 'TemporalEnsembling', 'mt': 'MeanTeacher', 'vat': 'VAT'}


def names(path):
    return f'{path.parent.name}/{path.stem}'


def settings(path):
    return tiny.flat(Config.fromfile(path).to_dict())


def test_the_files_are_those_that_the_table_gives():
    generated = semi_configs.render(tiny.ROOT)
    assert {path.relative_to(tiny.ROOT).as_posix(): path.read_text() for path in CONFIGS} == generated


def test_every_method_and_data_of_table_6_has_its_config():
    cells = {names(path) for path in CONFIGS if path.parent.name != 'cifar10_subset' and path not in ISDA}
    assert cells == {f'{data}/{method}_{data}' for method in TYPES for data in ('cifar10', 'cifar100', 'svhn')
                     if data != 'svhn' or method in ('mt', 'vat')}
    assert len(ISDA) == len(cells) + 4


@pytest.mark.parametrize('path', CONFIGS, ids=names)
def test_every_config_builds_its_method_on_cnn_13(path):
    cfg = Config.fromfile(path)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert type(model.method).__name__ == TYPES[path.stem.split('_')[0]]
    assert (model.num_classes, model.fc.in_features) == (CLASSES[path.parent.name],
                                                         16 if path.parent.name == 'cifar10_subset' else 128)
    assert (list(find_pairs(model)), model.eta_1) == ([], 1.0 if path in ISDA else 0.0)  # ISDAHook makes the pair
    data = cfg.train_dataloader.dataset
    assert (data.num_labels, data.get('views', 1)) == (FEWEST[path.parent.name], model.method.views)


@pytest.mark.parametrize('path', ISDA, ids=names)
def test_baseline_and_isda_configs_differ_in_isda_alone(path):
    isda, plain = settings(path), settings(path.with_name(path.name.replace('_isda', '')))
    hook = dict(type='isda_seg.hooks.ISDAHook', lambda_0=0.5, covariance='full')
    assert set(tiny.differing(isda, plain)) == {'model.eta_1', *(f'default_hooks.isda.{key}' for key in hook)}
    assert {key: isda[f'default_hooks.isda.{key}'] for key in hook} == hook


def test_the_recipe_is_that_of_appendix_b():
    for path in CONFIGS:
        if path.parent.name == 'cifar10_subset':
            continue
        found = settings(path)
        assert [found[f'optim_wrapper.optimizer.{key}'] for key in ('type', 'lr', 'momentum', 'weight_decay',
                                                                    'nesterov')] == ['SGD', 0.1, 0.9, 1e-4, True]
        assert [found[key] for key in ('train_dataloader.batch_size', 'train_cfg.max_epochs', 'param_scheduler.0.T_max',
                                       'default_hooks.last_evaluations.last')] == [128, 400, 400, 10]


@pytest.mark.parametrize('name, expected', [
    ('pi_cifar10', {'eta_2': 100}), ('te_cifar10', {'eta_2': 30}), ('te_cifar100', {'eta_2': 100}),
    ('mt_cifar100', {'eta_2': 100}), ('mt_svhn', {'eta_2': 100}), ('vat_cifar10', {'epsilon': 8}),
    ('vat_cifar100', {'epsilon': 8}), ('vat_svhn', {'epsilon': 3.5})])
def test_the_methods_have_the_hyper_parameters_of_their_own_papers(name, expected):
    method = Config.fromfile(SEMI / name.split('_')[1] / f'{name}.py').model.method
    assert {key: method[key] for key in expected} == expected


@exhaustive('name', TYPES)
def test_miniature_uses_250_of_2000_labels_and_other_test_images(name, data_folder):
    data_folder('cifar10')
    path = tiny.ROOT / 'configs' / 'miniature' / f'resnet8_{name}_isda_cifar10-250.py'
    cfg, supervised = Config.fromfile(path), Config.fromfile(path.with_name('resnet8_cifar10-1k.py'))
    data, tested = (DATASETS.build(loader.dataset) for loader in (cfg.train_dataloader, cfg.test_dataloader))
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    assert type(model.method).__name__ == TYPES[name]
    assert (len(data.labelled_indices), len(data), data.views) == (250, 2000, model.method.views)
    labels = [data.get_cat_ids(index)[0] for index in data.labelled_indices]
    assert np.bincount(labels).tolist() == [25] * 10
    trained = {data.get_data_info(index)['img'].tobytes() for index in range(len(data))}
    assert not trained & {tested.get_data_info(index)['img'].tobytes() for index in range(len(tested))}
    batch = {'inputs': [torch.full((3, 8, 8), 200, dtype=torch.uint8)], 'labels': [0]}
    view = torch.full((1, 3, 8, 8), 200, dtype=torch.uint8)
    found = model.data_preprocessor(dict(batch, unlabelled=dict(views=[view], index=[5])))
    assert torch.equal(found['unlabelled']['views'][0], found['inputs'])
    assert torch.equal(found['inputs'], MODELS.build(supervised.data_preprocessor)(batch)['inputs'])
