"""The real CamVid dataset."""
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny

from isda_seg.segmentation import CamVidDataset
from isda_seg.segmentation.loading import LoadCheckedAnnotations, LoadCheckedImage


@pytest.mark.parametrize('split, images', [('train', 367), ('val', 101)])
def test_camvid_has_the_published_sizes_and_labels_0_to_11(split, images, data_folder):
    dataset = CamVidDataset(data_root=str(data_folder('camvid')),
                            data_prefix=dict(img_path=split, seg_map_path=f'{split}annot'),
                            pipeline=[LoadCheckedImage(), LoadCheckedAnnotations(num_classes=11, ignore_index=11)])
    assert (len(dataset), len(dataset.metainfo['classes']), len(dataset.metainfo['palette'])) == (images, 11, 11)
    first = dataset[0]
    assert first['img'].shape == (180, 240, 3)
    assert first['gt_seg_map'].shape == (180, 240)
    assert set(np.unique(first['gt_seg_map'])) <= set(range(12))


def names(dataset):
    return [Path(dataset.get_data_info(index)['img_path']).name for index in range(len(dataset))]


def sampled(folder, **keys):
    return names(CamVidDataset(data_root=str(folder), pipeline=[], **keys,
                               data_prefix=dict(img_path='train', seg_map_path='trainannot')))


def test_sample_depends_on_its_seed_and_keeps_the_file_order(tmp_path):
    tiny.write_camvid(tmp_path, train=9)
    every = sampled(tmp_path)
    draws = [sampled(tmp_path, sample=4, sample_seed=seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert all(len(set(draw)) == 4 and draw == [name for name in every if name in draw] for draw in draws)
    within = sampled(tmp_path, sample=2, sample_seed=5, sample_from=[0, 3, 8])
    assert set(within) < {every[0], every[3], every[8]}


@pytest.mark.parametrize('sample', [0, 10])
def test_empty_or_too_large_sample_is_an_error(tmp_path, sample):
    tiny.write_camvid(tmp_path, train=9)
    with pytest.raises(ValueError, match=f'cannot sample {sample} of 9 images'):
        sampled(tmp_path, sample=sample)
