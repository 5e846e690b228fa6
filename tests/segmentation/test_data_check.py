"""Missing data is an error before anything is built."""
import cv2
import numpy as np
import pytest
from mmengine.config import Config

from isda_seg.segmentation.data_check import check_data


@pytest.fixture
def root(tmp_path):
    for split in ('train', 'val'):
        for folder in (split, f'{split}annot'):
            (tmp_path / folder).mkdir()
            for name in ('a.png', 'b.png'):
                cv2.imwrite(str(tmp_path / folder / name), np.zeros((4, 4), np.uint8))
    return tmp_path


def config(root):
    return Config({f'{split}_dataloader': dict(dataset=dict(
        type='RepeatDataset', times=2, dataset=dict(
            type='CamVidDataset', data_root=str(root), pipeline=[],
            data_prefix=dict(img_path=split, seg_map_path=f'{split}annot')))) for split in ('train', 'val')})


def test_complete_data_passes(root):
    assert check_data(config(root)) is None


def test_a_missing_folder_is_named_with_what_to_do(root):
    with pytest.raises(FileNotFoundError, match='train data folder .*nowhere/train .*ISDA_SEG_DATA'):
        check_data(config(root / 'nowhere'))


def test_an_empty_split_is_named(root):
    for image in (root / 'val').iterdir():
        image.unlink()
    with pytest.raises(ValueError, match='val split is empty: no image found in .*/val'):
        check_data(config(root))


def test_an_image_without_its_label_map_is_named(root):
    (root / 'trainannot' / 'b.png').unlink()
    with pytest.raises(FileNotFoundError, match='1 of 2 train images have no label map; .*trainannot/b.png'):
        check_data(config(root))
