"""SVHN from its .mat files: class 10 is the digit 0."""
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

from isda_seg.classification import SVHNDataset
from isda_seg.classification.data.data_check import check_data

CONFIG = Path(__file__).resolve().parents[3] / 'configs' / '_base_' / 'datasets' / 'svhn.py'


@pytest.fixture
def root(tmp_path):
    io = pytest.importorskip('scipy.io', reason='reading SVHN needs scipy')
    images = np.random.default_rng(0).integers(256, size=(32, 32, 3, 20), dtype=np.uint8)
    labels = np.tile(np.arange(1, 11, dtype=np.uint8), 2)[:, None]
    folder = tmp_path / 'svhn'
    folder.mkdir()
    for split in ('train', 'test'):
        io.savemat(folder / f'{split}_32x32.mat', dict(X=images, y=labels), do_compression=True)
    return folder, images


def test_label_i_is_digit_i_and_images_are_bgr(root):
    folder, images = root
    dataset = SVHNDataset(str(folder), split='test')
    entries = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [entry['gt_label'] for entry in entries] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2
    assert dataset.metainfo['classes'] == tuple('0123456789')
    assert all(np.array_equal(entry['img'][..., ::-1], images[..., i]) for i, entry in enumerate(entries))


def test_held_out_split_contains_every_digit(root):
    dataset = SVHNDataset(str(root[0]), split='held_out', holdout=10)
    assert sorted(dataset.get_data_info(i)['gt_label'] for i in range(10)) == list(range(10))


def test_a_missing_file_is_named(root):
    (root[0] / 'train_32x32.mat').unlink()
    with pytest.raises(FileNotFoundError, match='train_32x32.mat does not exist. Download it from http'):
        SVHNDataset(str(root[0]))


@pytest.mark.parametrize('size', [0, 100, 20000])
def test_a_truncated_file_is_named(root, size):
    path = root[0] / 'train_32x32.mat'
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match='train_32x32.mat is truncated, damaged or not an SVHN file'):
        SVHNDataset(str(root[0]))


def test_base_config_reads_svhn_without_flips(root, monkeypatch):
    monkeypatch.setenv('ISDA_SEG_DATA', str(root[0].parent))
    cfg = Config.fromfile(CONFIG)
    check_data(cfg)
    item = DATASETS.build(cfg.train_dataloader.dataset)[9]
    assert (item['inputs'].shape, item['labels']) == ((3, 32, 32), 0)
    assert [step.type for step in cfg.train_pipeline] == ['RandomReflectCrop', 'PackImages']
