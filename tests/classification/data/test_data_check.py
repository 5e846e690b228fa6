"""Missing or mismatched data is an error before a run; the base configs pass."""
from pathlib import Path

import pytest
from mmengine.config import Config

import isda_seg.classification  # noqa: F401  registers the datasets
from isda_seg.classification.data.data_check import check_data

CONFIGS = Path(__file__).resolve().parents[3] / 'configs' / '_base_' / 'datasets'


def config(root, num_classes=10, **dataset):
    loaders = {f'{name}_dataloader': dict(dataset=dict(
        type='PositionSeededDataset', dataset=dict(data_root=str(root), split=split, **dataset)))
        for name, split in (('train', 'train'), ('val', 'test'))}
    return Config(dict(loaders, model=dict(type='Net', head=dict(type='Linear', num_classes=num_classes))))


def test_complete_data_passes(write_cifar, image_folder):
    assert check_data(config(write_cifar(), type='CIFARDataset')) is None
    assert check_data(config(image_folder, num_classes=2, type='ImageFolderDataset')) is None


def test_missing_data_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='neither .*cifar-10-python.tar.gz nor the folder .* exists'):
        check_data(config(tmp_path, type='CIFARDataset'))


def test_labels_beyond_the_models_classes_are_an_error(write_cifar):
    with pytest.raises(ValueError, match='labels up to 9, but Linear of the model has num_classes=5. Set it to 10'):
        check_data(config(write_cifar(), num_classes=5, type='CIFARDataset'))


def test_top_k_above_the_number_of_classes_is_an_error(write_cifar):
    cfg = config(write_cifar(), type='CIFARDataset')
    cfg.val_evaluator = [dict(type='Other'), dict(type='TopKAccuracy', topk=(1, 11))]
    with pytest.raises(ValueError, match=r'val_evaluator requests the top-11 error, but the model has only 10 classes. '
                                         r'Set val_evaluator.1.topk=\[1\]'):
        check_data(cfg)
    cfg.merge_from_dict({'val_evaluator.1.topk': [1]})
    assert check_data(cfg) is None


def test_training_and_test_data_of_different_classes_are_an_error(write_cifar, image_folder):
    cfg = config(write_cifar(), type='CIFARDataset')
    cfg.val_dataloader.dataset.dataset.update(type='ImageFolderDataset', data_root=str(image_folder))
    with pytest.raises(ValueError, match='train data .* has 10 classes and the val data .* has 2. Only in the first: '
                                         'class 0, .*; only in the second: n01, n02. Use the same class names'):
        check_data(cfg)


def test_a_validation_split_larger_than_the_data_is_an_error(write_cifar):
    cfg = config(write_cifar(), type='CIFARDataset')
    cfg.train_dataloader.dataset.dataset.update(split='train_rest', holdout=100)
    with pytest.raises(ValueError, match='cannot hold out 100 of 100 training images'):
        check_data(cfg)


def test_other_datasets_are_not_checked():
    cfg = Config(dict(train_dataloader=dict(dataset=dict(type='NotOurs'))))
    assert check_data(cfg) is None


@pytest.mark.parametrize('name, num_classes, shape', [('cifar10', 10, (3, 32, 32)), ('cifar100', 100, (3, 32, 32)),
                                                      ('imagenet', 2, (3, 224, 224))])
def test_the_base_configs_read_data_laid_out_as_its_publishers_do(name, num_classes, shape, write_cifar, image_folder,
                                                                  monkeypatch):
    from mmengine.registry import DATASETS, METRICS, MODELS
    root = image_folder if name == 'imagenet' else write_cifar(num_classes, per_batch=2 * num_classes)
    monkeypatch.setenv('ISDA_SEG_DATA', str(root.parent))
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    check_data(cfg)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(loader.dataset)
        assert len(dataset.metainfo['classes']) == num_classes
        assert dataset[len(dataset) - 1]['inputs'].shape == shape
        assert dataset[len(dataset) - 1]['labels'] == num_classes - 1
    assert MODELS.build(cfg.data_preprocessor).mean.shape == (3, 1, 1)
    assert METRICS.build(cfg.val_evaluator).topk == ((1, 5) if name == 'imagenet' else (1,))
