"""Semi-supervised base configs: whitened or standardised images, two streams, cosine schedule."""
import numpy as np
import pytest
import torch
from helpers import tiny, tiny_images
from mmengine.config import Config
from mmengine.optim import CosineAnnealingLR
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner

import isda_seg.semi  # noqa: F401  registers the datasets
from isda_seg.classification.data.data_check import check_data
from isda_seg.paper.semi_cifar.zca import ZCA, fingerprint
from isda_seg.run import CLASSIFICATION, task_name, task_of
from isda_seg.runtime.reproducible import make_reproducible

BASES = tiny.ROOT / 'configs' / '_base_'


def config(name, num_labels, views=1, num_classes=10):
    """A base config of data, complete enough to load data by."""
    cfg = Config.fromfile(BASES / 'datasets' / f'{name}.py')
    cfg.train_dataloader.dataset.update(num_labels=num_labels, views=views)
    cfg.model = dict(type='SemiClassifier', num_classes=num_classes)
    tiny_images.single_process(cfg)
    return cfg


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where ISDA_SEG_DATA points to and runs are started."""
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_cifar(folder, num_classes):
    """Archive, and a file of a transform that only halves: to fit one takes seconds."""
    tiny_images.write_cifar(folder, num_classes, per_batch=2 * num_classes)
    keys = dict(type='CIFARDataset', num_classes=num_classes, data_root=str(folder / f'cifar{num_classes}'))
    train = DATASETS.build(keys)
    images = np.stack([train.get_data_info(index)['img'] for index in range(len(train))])
    ZCA(np.zeros(3072, np.float32), np.eye(3072, dtype=np.float32) / 2, 1e-5, fingerprint(images)).save(
        folder / 'work_dirs' / 'zca' / f'cifar{num_classes}.npz')
    return images


@pytest.mark.parametrize('num_classes, batches', [(10, 1), (100, 2)])
def test_cifar_is_read_whitened_by_its_file_and_paired(num_classes, batches, folder):
    images = write_cifar(folder, num_classes)
    cfg = config(f'semi_cifar{num_classes}', num_classes, views=2, num_classes=num_classes)
    check_data(cfg, ('train', 'val', 'test'))
    make_reproducible(cfg)
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    assert (len(loader), len(loader.dataset)) == (batches, len(images))
    assert len(loader.dataset.labelled_indices) == num_classes
    batch = MODELS.build(cfg.data_preprocessor)(next(iter(loader)), training=True)
    rows = min(128, len(images))
    assert [tuple(view.shape) for view in batch['unlabelled']['views']] == [(rows, 3, 32, 32)] * 2
    windows = {window.tobytes() for window in crops(images[batch['unlabelled']['index'][5]])}
    assert batch['unlabelled']['views'][1][5].numpy().tobytes() in windows
    test = Runner.build_dataloader(cfg.val_dataloader, seed=0)
    expected = DATASETS.build(dict(cfg.val_dataloader.dataset.dataset)).get_data_info(3)
    found = MODELS.build(cfg.data_preprocessor)(next(iter(test)))
    assert np.array_equal(found['inputs'][3].numpy(), halved(expected['img']).transpose(2, 0, 1))
    assert (len(test.dataset), found['labels'][3].item()) == (2 * num_classes, expected['gt_label'])


def halved(image):
    return image / np.float32(255) / 2


def crops(image):
    """All that a shift by two pixels and a flip can make of an image, as tensors (3, 32, 32)."""
    padded = np.pad(halved(image), ((2, 2), (2, 2), (0, 0)), mode='reflect').transpose(2, 0, 1)
    windows = [padded[:, y:y + 32, x:x + 32] for y in range(5) for x in range(5)]
    return [*windows, *(window[:, :, ::-1] for window in windows)]


def test_svhn_is_standardised_without_flips(folder):
    io = pytest.importorskip('scipy.io', reason='reading SVHN needs scipy')
    images = np.random.default_rng(0).integers(256, size=(32, 32, 3, 20), dtype=np.uint8)
    (folder / 'svhn').mkdir()
    for split in ('train', 'test'):
        io.savemat(folder / 'svhn' / f'{split}_32x32.mat', dict(X=images, y=np.tile(np.arange(1, 11), 2)[:, None]))
    cfg = config('semi_svhn', 10)
    check_data(cfg, ('train', 'val', 'test'))
    assert [step.type for step in cfg.train_dataloader.dataset.pipeline] == [
        'StandardizeImage', 'RandomReflectCrop', 'PackImages']
    assert cfg.train_dataloader.dataset.pipeline[1].padding == 2
    item = DATASETS.build(cfg.test_dataloader.dataset)[4]['inputs'].double()
    assert [item.mean().item(), item.square().mean().item()] == pytest.approx([0, 1], abs=1e-6)
    assert DATASETS.build(cfg.train_dataloader.dataset)[4, 9]['labels'] == 0


def test_wrapped_data_are_checked(folder):
    cfg = config('semi_cifar10', 20)
    with pytest.raises(FileNotFoundError, match='neither .*cifar-10-python.tar.gz nor the folder .* exists'):
        check_data(cfg)
    tiny_images.write_cifar(folder)
    cfg.model.num_classes = 5
    with pytest.raises(ValueError, match='labels up to 9, but SemiClassifier of the model has num_classes=5'):
        check_data(cfg)


def test_the_data_of_equal_datasets_are_checked_once(folder, monkeypatch):
    from isda_seg.classification import CIFARDataset
    tiny_images.write_cifar(folder)
    read = []
    load = CIFARDataset.load_data_list
    monkeypatch.setattr(CIFARDataset, 'load_data_list', lambda self: read.append(self.split) or load(self))
    check_data(config('semi_cifar10', 20), ('train', 'val', 'test'))
    assert read == ['train', 'test']


def test_semi_classifier_uses_the_classification_task():
    for kind in ('SemiClassifier', 'ImageClassifier'):
        cfg = Config(dict(model=dict(type=kind), default_scope='mmengine'))
        assert (task_name(cfg), task_of(cfg).protocols) == (CLASSIFICATION, ('single',))


def test_the_learning_rate_falls_by_cosine_from_a_tenth_to_0_within_epochs():
    cfg = Config.fromfile(BASES / 'schedules' / 'semi_400e.py')
    keys, length = dict(cfg.param_scheduler[0]), 5
    keys.pop('type'), keys.pop('convert_to_iter_based')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))],
                                **{key: value for key, value in cfg.optim_wrapper.optimizer.items() if key != 'type'})
    scheduler = CosineAnnealingLR.build_iter_from_epoch(optimizer, epoch_length=length, **keys)
    rates = []
    for _ in range(length * cfg.train_cfg.max_epochs + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    np.testing.assert_allclose(rates, 0.05 * (1 + np.cos(np.pi * np.arange(2001) / 2000)), atol=1e-9)
    group = optimizer.param_groups[0]
    assert (group['momentum'], group['nesterov'], group['weight_decay'], cfg.train_cfg.max_epochs) == (
        0.9, True, 1e-4, 400)
    assert cfg.default_hooks.last_evaluations.last == 10


@pytest.mark.exhaustive
@pytest.mark.filterwarnings('ignore:.*not the official archive')
def test_the_real_subset_is_whitened_as_the_config_says(data_folder, tmp_path, monkeypatch):
    monkeypatch.setenv('ISDA_SEG_DATA', str(data_folder('cifar10').parent))
    monkeypatch.chdir(tmp_path)
    cfg = config('semi_cifar10', 1000)
    train, test = (DATASETS.build(loader.dataset) for loader in (cfg.train_dataloader, cfg.test_dataloader))
    train.full_init()
    test.full_init()
    assert (len(train), len(train.labelled_indices), len(test)) == (10_000, 1000, 2000)
    assert test.zca is train.dataset.zca
    assert (tmp_path / 'work_dirs' / 'zca' / 'cifar10.npz').stat().st_size > 3072 ** 2 * 4
    flat = train.dataset.images.reshape(10_000, -1)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-3)
    variances = flat.var(axis=0)[[0, 1000, 2000, 3071]]
    assert (variances > 0.4).all() and (variances < 1).all()
    neighbours = np.corrcoef(flat[:, 1500], flat[:, 1503])[0, 1]
    assert abs(neighbours) < 0.1 < 0.8 < np.corrcoef(*raw_neighbours(train))[0, 1]


def raw_neighbours(train):
    """A value of every image as it was, and that of the next pixel."""
    images = [train.dataset.dataset.get_data_info(index)['img'].ravel() for index in range(2000)]
    return np.array([image[[1500, 1503]] for image in images], dtype=np.float64).T
