"""Samples of the images of a dataset."""
from pathlib import Path

import pytest
from helpers import tiny

from isda_seg.segmentation import CamVidDataset, SampledCityscapesDataset

CAMVID = (CamVidDataset, dict(img_path='train', seg_map_path='trainannot'))
CITYSCAPES_LAYOUT = (SampledCityscapesDataset, dict(img_path='leftImg8bit/train', seg_map_path='gtFine/train'))


@pytest.fixture(params=[CAMVID, CITYSCAPES_LAYOUT], ids=['CamVid', 'Cityscapes layout'])
def sampled(request, tmp_path):
    """Return a function from the keys of the sample to the names of its images; the dataset has nine."""
    dataset, prefix = request.param
    if request.param is CAMVID:
        tiny.write_camvid(tmp_path, train=9)
    else:
        from isda_seg.demo_data.dataset import write_streets
        write_streets(tmp_path / 'streets', 9, 1, height=32, width=64)

    def names(**keys):
        root = tmp_path if request.param is CAMVID else tmp_path / 'streets'
        built = dataset(data_root=str(root), data_prefix=dict(prefix), pipeline=[], **keys)
        return [Path(built.get_data_info(index)['img_path']).name for index in range(len(built))]
    return names


def test_sample_depends_on_its_seed_and_keeps_the_file_order(sampled):
    every = sampled()
    samples = [sampled(sample=4, sample_seed=seed) for seed in (0, 0, 1)]
    assert samples[0] == samples[1] != samples[2]
    assert len(every) == 9
    assert all(len(set(sample)) == 4 and sample == [name for name in every if name in sample] for sample in samples)
    within = sampled(sample=2, sample_seed=5, sample_from=[0, 3, 8])
    assert set(within) < {every[0], every[3], every[8]}


@pytest.mark.parametrize('sample', [0, 10])
def test_empty_or_too_large_sample_is_an_error(sampled, sample):
    with pytest.raises(ValueError, match=f'cannot sample {sample} of 9 images'):
        sampled(sample=sample)
