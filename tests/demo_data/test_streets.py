"""Demo streets depend only on their seed, contain every class, and have the Cityscapes layout on disk."""
import hashlib
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from isda_seg.demo_data import CLASSES, IGNORE_LABEL, draw_street
from isda_seg.demo_data.dataset import RECORD, street, write_streets

ROOT = Path(__file__).resolve().parents[2]
SIZE = 128, 256
LEAST_SHARE_OF_IMAGES = 1 / 3
ENOUGH_PIXELS = 100         # of 128 x 256: as much as a square of ten pixels


def draw(seed, height=SIZE[0], width=SIZE[1]):
    return draw_street(np.random.default_rng(seed), height, width)


def digests(folder):
    """The content of every file below a folder, by its path."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in folder.rglob('*') if path.is_file()}


@pytest.fixture(scope='module')
def labels():
    """The label maps (48, H, W) of the first training streets of the demo set."""
    return np.stack([street(0, 'train', index, *SIZE)[1] for index in range(48)])


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    """A demo set of three training and two validation streets."""
    folder = tmp_path_factory.mktemp('data') / 'streets'
    assert write_streets(folder, 3, 2, seed=5, height=48, width=96) is True
    return folder


def test_same_seed_same_bytes():
    for first, second in zip(draw(3), draw(3), strict=True):
        assert first.dtype == np.uint8
        assert first.tobytes() == second.tobytes()


def test_different_seeds_differ():
    (image, label), (other_image, other_label) = draw(3), draw(4)
    assert (image != other_image).mean() > 0.5
    assert (label != other_label).mean() > 0.1


@pytest.mark.parametrize('height, width', [(32, 32), (128, 256), (97, 211), (256, 128)])
def test_any_size_is_painted_completely(height, width):
    image, label = draw(0, height, width)
    assert image.shape == (height, width, 3)
    assert label.shape == (height, width)
    assert (label == IGNORE_LABEL).mean() < 0.4


def test_too_small_size_is_an_error():
    with pytest.raises(ValueError, match='at least 32 x 32 pixels, got 16 x 256'):
        draw(0, 16, 256)


def test_labels_are_train_ids_or_ignored(labels):
    assert len(CLASSES) == 19
    assert set(np.unique(labels)) == {*range(len(CLASSES)), IGNORE_LABEL}
    assert 0.01 < (labels == IGNORE_LABEL).mean() < 0.2


def test_every_class_fills_enough_pixels_in_a_third_of_the_images(labels):
    pixels = np.stack([np.bincount(label.ravel(), minlength=len(CLASSES))[:len(CLASSES)] for label in labels])
    share = (pixels >= ENOUGH_PIXELS).mean(0)
    assert {name: value for name, value in zip(CLASSES, share, strict=True) if value < LEAST_SHARE_OF_IMAGES} == {}


def test_the_sky_is_above_the_road(labels):
    rows = np.arange(SIZE[0])[:, None]
    sky, road = ((rows * (labels == CLASSES.index(name))).sum() / (labels == CLASSES.index(name)).sum()
                 for name in ('sky', 'road'))
    assert sky < 0.35 * SIZE[0] < 0.65 * SIZE[0] < road


def test_scene_depends_only_on_seed_split_and_index(demo):
    image = cv2.imread(str(demo / 'leftImg8bit/val/demo/demo_000001_000000_leftImg8bit.png'))
    label = cv2.imread(str(demo / 'gtFine/val/demo/demo_000001_000000_gtFine_labelTrainIds.png'), cv2.IMREAD_UNCHANGED)
    expected = street(5, 'val', 1, 48, 96)
    assert image.tobytes() == expected[0].tobytes()
    assert label.tobytes() == expected[1].tobytes()
    assert image.tobytes() != street(5, 'train', 1, 48, 96)[0].tobytes()


def test_a_larger_set_begins_with_the_smaller_one(demo, tmp_path):
    write_streets(tmp_path / 'more', 4, 3, seed=5, height=48, width=96)
    smaller, larger = digests(demo), digests(tmp_path / 'more')
    assert len(larger) == len(smaller) + 4
    assert [name for name in smaller if name != RECORD and smaller[name] != larger[name]] == []


def test_cityscapes_dataset_reads_the_folder(demo):
    from mmseg.datasets import CityscapesDataset

    for split, count in (('train', 3), ('val', 2)):
        dataset = CityscapesDataset(
            data_root=str(demo), data_prefix=dict(img_path=f'leftImg8bit/{split}', seg_map_path=f'gtFine/{split}'),
            pipeline=[dict(type='LoadImageFromFile'), dict(type='mmseg.LoadAnnotations')])
        assert dataset.metainfo['classes'] == CLASSES
        assert len(dataset) == count
        for index in range(count):
            sample, (image, label) = dataset[index], street(5, split, index, 48, 96)
            assert np.array_equal(sample['img'], image)
            assert np.array_equal(sample['gt_seg_map'], label)


def test_second_call_writes_nothing(demo):
    before = digests(demo), {path: path.stat().st_mtime_ns for path in demo.rglob('*')}
    assert write_streets(demo, 3, 2, seed=5, height=48, width=96) is False
    assert before == (digests(demo), {path: path.stat().st_mtime_ns for path in demo.rglob('*')})


@pytest.mark.parametrize('changed', [dict(num_train=4), dict(num_val=1), dict(seed=6), dict(width=64)])
def test_other_parameters_are_an_error(demo, changed):
    before = digests(demo)
    with pytest.raises(FileExistsError, match='choose another folder or remove it'):
        write_streets(demo, **(dict(num_train=3, num_val=2, seed=5, height=48, width=96) | changed))
    assert digests(demo) == before


def test_folder_with_other_files_is_not_changed(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(FileExistsError, match='holds no demo streets'):
        write_streets(tmp_path, 1, 1)
    assert [path.name for path in tmp_path.rglob('*')] == ['mine.txt']


def test_interrupted_run_leaves_no_seemingly_complete_folder(tmp_path):
    def interrupt(done, total):
        if done == 2:
            raise KeyboardInterrupt(f'{done} of {total}')

    with pytest.raises(KeyboardInterrupt, match='2 of 3'):
        write_streets(tmp_path / 'streets', 2, 1, height=32, width=64, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_leaves_no_folder_of_that_name(tmp_path):
    code = ('import os, sys\nfrom isda_seg.demo_data.dataset import write_streets\n'
            'write_streets(sys.argv[1], 2, 1, height=32, width=64, progress=lambda done, total: os._exit(9))')
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path / 'streets')], timeout=120,
                          env=dict(os.environ, PYTHONPATH=str(ROOT)))
    assert done.returncode == 9
    assert not (tmp_path / 'streets').exists()
    assert write_streets(tmp_path / 'streets', 2, 1, height=32, width=64) is True
    assert len(digests(tmp_path / 'streets')) == 2 * 3 + 1


def test_unwritable_folder_is_an_error_that_names_it(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match=r'cannot write demo streets to .*file/streets'):
        write_streets(tmp_path / 'file' / 'streets', 1, 1, height=32, width=64)


@pytest.mark.parametrize('numbers', [dict(num_train=0, num_val=1), dict(num_train=1, num_val=0),
                                     dict(num_train=1, num_val=1, seed=-1)])
def test_invalid_numbers_are_an_error(tmp_path, numbers):
    with pytest.raises(ValueError, match='at least one street in each split'):
        write_streets(tmp_path / 'streets', **numbers)
    assert list(tmp_path.iterdir()) == []


def test_tool_writes_below_the_data_folder_and_prints_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path))
    main = runpy.run_path(str(ROOT / 'tools' / 'make_streets.py'))['main']
    arguments = '--train 2 --val 1 --seed 5 --height 48 --width 96'.split()
    main(arguments)
    assert f'{tmp_path / "streets"}: wrote 2 training and 1 validation streets' in capsys.readouterr().out
    main(arguments)
    assert 'nothing written' in capsys.readouterr().out
    with pytest.raises(SystemExit, match='holds demo streets made with'):
        main(['--seed', '6'])
