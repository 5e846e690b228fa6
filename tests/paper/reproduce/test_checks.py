"""All that is missing is reported at once: packages, data, labels, weights, disk space, GPUs."""
import importlib.util
import shutil
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from helpers import tiny, tiny_images, tiny_tables
from helpers.exhaustive import exhaustive

from isda_seg import compat
from isda_seg.paper.reproduce import checks
from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.paper.reproduce.plan import make_plan, read
from isda_seg.paper.reproduce.trial import FILE, trial_folder
from isda_seg.paper.series.arm import Arm
from isda_seg.runtime.provenance import write_json

TABLES = catalogue()
WEIGHTS = 'model.pretrained=open-mmlab://resnet101_v1c'


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """plan(name, rows): one seed of the first rows of a table, with data in tmp_path/data."""
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path / 'data'))
    monkeypatch.setattr(checks, 'visible_gpus', lambda: [])
    read.cache_clear()

    def make(name='table7', options=tiny_tables.CITYSCAPES, ranks=None):
        table = TABLES[name]
        return make_plan(name, table._replace(rows=table.rows[:2]), tmp_path / 'work', tiny.ROOT, (0,),
                         Arm('', tuple(options)).settings, ranks)
    yield make
    read.cache_clear()


def test_everything_is_missing_on_a_machine_without_data(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(checks.torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    found = checks.check_plan(plan(options=[*tiny_tables.CITYSCAPES, WEIGHTS]), None)
    assert [finding.missing for finding in found] == [True, False, True]
    data, weights, gpus = map(str, found)
    assert data.startswith(f'MISSING Cityscapes: {tmp_path / "data" / "cityscapes"} does not exist.')
    assert 'cityscapes-dataset.com/downloads' in data and 'csCreateTrainIdLabelImgs' in data
    assert 'open-mmlab://resnet101_v1c' in weights and f'at {tmp_path}/hub/checkpoints/resnet101_v1c-' in weights
    assert gpus.startswith('MISSING GPUs: none is visible, a run needs 4')


def test_complete_data_weights_and_gpus_give_only_remarks(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(checks.torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    tiny.write_cityscapes(tmp_path / 'data' / 'cityscapes')
    (tmp_path / 'hub' / 'checkpoints').mkdir(parents=True)
    (tmp_path / 'hub' / 'checkpoints' / 'resnet101_v1c-e67eebb6.pth').touch()
    found = checks.check_plan(plan(options=[*tiny_tables.CITYSCAPES, WEIGHTS]), ['0', '1', '2', '3'])
    assert [finding.text for finding in found] == [
        'Cityscapes, train: 6 images, the published data has 2,975',
        'Cityscapes, val: 2 images, the published data has 500']
    assert not any(finding.missing for finding in found)
    assert checks.check_gpus(plan(), ['0', '1'])[0].text == 'GPUs: 2 visible, a run needs 4'
    assert checks.check_gpus(plan(ranks=2), None, cpu=True)[0].text == 'GPUs: none is visible, a run uses 2 CPU ranks'


@exhaustive('split, kind', [('train', 'label'), ('val', 'image')])
def test_bad_files_of_a_sample_are_named(plan, tmp_path, split, kind):
    root = tiny.write_cityscapes(tmp_path / 'data' / 'cityscapes')
    if kind == 'label':  # the ids of the original label maps instead of the train ids
        path = root / 'gtFine' / split / 'town' / 'town_1_gtFine_labelTrainIds.png'
        assert cv2.imwrite(str(path), np.full((tiny.HEIGHT, tiny.WIDTH), 33, np.uint8))
    else:
        path = root / 'leftImg8bit' / split / 'town' / 'town_1_leftImg8bit.png'
        path.write_bytes(path.read_bytes()[:40])
    missing = [str(finding) for finding in checks.check_data(plan().runs[0].run.cfg) if finding.missing]
    assert len(missing) == 1 and str(path) in missing[0]
    assert missing[0].startswith(f'MISSING Cityscapes, {split}: ')


def test_missing_label_maps_are_counted(plan, tmp_path):
    root = tiny.write_cityscapes(tmp_path / 'data' / 'cityscapes')
    shutil.rmtree(root / 'gtFine' / 'val')
    (root / 'gtFine' / 'train' / 'town' / 'town_2_gtFine_labelTrainIds.png').unlink()
    train, val = (str(finding) for finding in checks.check_data(plan().runs[0].run.cfg))
    assert '1 of 6 train images have no label map' in train and 'gtFine/val (seg_map_path) does not exist' in val


def test_data_of_classifiers_is_sampled(plan, tmp_path):
    tiny_images.write_cifar(tmp_path / 'data')
    cfg = plan('table2', tiny_tables.IN_PROCESS).runs[0].run.cfg
    assert [finding.text for finding in checks.check_data(cfg)] == [
        'CIFAR-10, train: 100 images, the published data has 50,000',
        'CIFAR-10, val: 20 images, the published data has 10,000']


@pytest.mark.exhaustive
def test_data_of_semi_supervised_classifiers_is_sampled(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # for the saved ZCA transform
    tiny_images.write_cifar(tmp_path / 'data')
    semi = plan('table6', ['train_dataloader.dataset.num_labels=20']).runs[0].run.cfg
    assert [finding.text.split(' images')[0] for finding in checks.check_data(semi)] == [
        'CIFAR-10, train: 100', 'CIFAR-10, val: 20']


def test_packages_and_folders_are_checked_without_reading_a_config(tmp_path, monkeypatch):
    def without():
        raise ImportError('detection needs MMDetection')

    spec = importlib.util.find_spec
    monkeypatch.setattr(checks, 'find_spec', lambda name: None if name in ('mmseg', 'scipy') else spec(name))
    monkeypatch.setattr(compat, 'require_detection', without)
    (tmp_path / 'coco').mkdir()
    found = checks.check_packages(TABLES['table11']) + checks.check_folders(TABLES['table11'], tmp_path)
    assert [finding.text.split('.')[0] for finding in found] == [
        'package scipy', 'package mmseg (MMSegmentation)', 'detection needs MMDetection',
        f'ImageNet: {tmp_path}/imagenet does not exist']


def test_too_little_disk_space_is_reported_with_the_need(plan, tmp_path, monkeypatch):
    monkeypatch.setattr(checks.shutil, 'disk_usage', lambda path: SimpleNamespace(free=2e9))
    found = plan(options=())
    assert checks.disk_bytes(found) == pytest.approx(8 * 0.563e9, rel=0.01)  # two runs with four checkpoints each
    finding, = checks._check_disk(found)
    assert finding.text == f'disk space: the checkpoints need 5 GB, {tmp_path} has 2 GB free'


def test_memory_of_the_trial_is_compared_with_the_gpu(plan):
    found = plan()
    for planned, used in zip(found.runs, (10, 39), strict=True):
        write_json(trial_folder(planned, found.folder) / FILE, dict(
            seconds=0.5, memory=used * 2 ** 30, device_memory=40 * 2 ** 30))
    finding, = checks.check_trials(found)
    assert finding.text == f'GPU memory: {found.runs[1].arm.label} used 39.0 of 40.0 GiB in its trial'


@pytest.mark.parametrize('installed', [True, False])
def test_weights_of_torchvision_need_the_package(monkeypatch, tmp_path, installed):
    monkeypatch.setattr(checks, 'find_spec', lambda name: installed or None)
    monkeypatch.setattr(checks.torch.hub, 'get_dir', lambda: str(tmp_path))
    monkeypatch.setattr('mmengine.runner.checkpoint.get_torchvision_models',
                        lambda: dict(resnet50='https://x/resnet50-1.pth'))
    finding, = checks._check_weights('torchvision://resnet50')
    assert finding.missing is not installed
    assert (f'put https://x/resnet50-1.pth at {tmp_path}/checkpoints/resnet50-1.pth' if installed else
            'package torchvision, for the pretrained weights torchvision://resnet50') in str(finding)
