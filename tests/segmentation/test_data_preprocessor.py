"""Batches that cannot be stacked are errors that name the images."""
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import PixelData
from mmseg.models.data_preprocessor import SegDataPreProcessor
from mmseg.structures import SegDataSample

from isda_seg.segmentation.data_preprocessor import CheckedSegDataPreProcessor, check_preprocessor


def batch(*sizes):
    samples = [SegDataSample(metainfo=dict(img_path=f'{index}.png')) for index in range(len(sizes))]
    return dict(inputs=[torch.full((3, *size), 7, dtype=torch.uint8) for size in sizes], data_samples=samples)


@pytest.mark.parametrize('keys, training', [(dict(size=(6, 6)), True), (dict(size_divisor=4), True), ({}, False)])
def test_a_batch_is_that_of_mmsegmentation(keys, training):
    sizes = [(4, 5), (4, 5) if not training else (6, 3)]
    kinds = CheckedSegDataPreProcessor, SegDataPreProcessor
    found, wanted = (kind(**keys)(batch(*sizes), training) for kind in kinds)
    assert torch.equal(found['inputs'], wanted['inputs'])


def test_training_images_that_do_not_fit_into_size_are_named():
    with pytest.raises(ValueError, match=r'different sizes: 5 x 4 \(0.png\), 9 x 4 \(1.png\). .* add RandomCrop'):
        CheckedSegDataPreProcessor(size=(6, 6))(batch((4, 5), (4, 9)), True)


def test_every_training_batch_has_labels_of_the_size_of_the_images():
    data = batch((4, 5), (4, 5))
    for sample, size in zip(data['data_samples'], [(4, 5), (8, 10)], strict=True):
        sample.gt_sem_seg = PixelData(data=torch.zeros(1, *size, dtype=torch.int64))
    with pytest.raises(ValueError, match='label map of 1.png is 10 x 8 after .*, but the image is 5 x 4. Put Load'):
        CheckedSegDataPreProcessor(size=(4, 5))(data, True)
    assert len(CheckedSegDataPreProcessor()(data, False)['inputs']) == 2  # evaluation compares with the file


def test_evaluated_images_of_different_sizes_are_named():
    with pytest.raises(ValueError, match=r'5 x 4 \(0.png\), 4 x 4 \(1.png\). Set val_dataloader.batch_size=1 and'):
        CheckedSegDataPreProcessor()(batch((4, 5), (4, 4)), False)


@pytest.mark.parametrize('keys, words', [
    ({}, 'model.data_preprocessor needs either size or size_divisor, but has neither. Set'),
    (dict(size=(6, 6), size_divisor=4), 'has both. Remove one: model.data_preprocessor.size_divisor=None'),
    (dict(size=(6, 6), test_cfg=dict(size=(6, 6), size_divisor=2)), 'model.data_preprocessor.test_cfg needs either')])
def test_exactly_one_of_size_and_size_divisor_is_required_for_training(keys, words):
    cfg = Config(dict(model=dict(data_preprocessor=dict(type='SegDataPreProcessor', **keys))))
    with pytest.raises(ValueError, match=words):
        check_preprocessor(cfg, training=True)


def test_the_checked_preprocessor_replaces_that_of_mmsegmentation():
    cfg = Config(dict(model=dict(data_preprocessor=dict(type='SegDataPreProcessor'))))
    check_preprocessor(cfg, training=False)
    assert cfg.model.data_preprocessor == dict(type='CheckedSegDataPreProcessor')
