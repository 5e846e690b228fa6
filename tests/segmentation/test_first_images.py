"""The first images of a split show before a run what a pipeline lacks."""
from pathlib import Path

import cv2
import pytest
from helpers import tiny
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmseg.registry import TRANSFORMS

from isda_seg.segmentation.data_preprocessor import check_preprocessor
from isda_seg.segmentation.first_images import check_first_images


@pytest.fixture
def cfg(tmp_path):
    """The config of tiny CamVid as it is checked before a run."""
    cfg = Config.fromfile(tiny.write_configs(tmp_path)[0])
    check_preprocessor(cfg, training=True)
    return cfg


@pytest.mark.parametrize('split', ['train', 'val'])
@pytest.mark.parametrize('step, lacking', [
    ('LoadImageFromFile', 'i'), ('LoadAnnotations', 'gt_seg_map'), ('PackSegInputs', 'data_samples')])
def test_a_pipeline_without_a_step_is_an_error_that_names_it(cfg, split, step, lacking):
    assert check_first_images(cfg, split) is None
    dataset = cfg[f'{split}_dataloader'].dataset
    dataset.pipeline = [one for one in dataset.pipeline if one['type'] != step]
    with pytest.raises(ValueError, match=rf'^the pipeline of {split}_dataloader .* without {lacking}.* Put {step}'):
        check_first_images(cfg, split)


def test_a_pipeline_that_only_packs_names_the_loading_of_images(cfg):
    cfg.val_dataloader.dataset.pipeline = [dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    with pytest.raises(ValueError, match='val_dataloader gives samples without inputs. Put LoadImageFromFile into it'):
        check_first_images(cfg, 'val')


def test_evaluated_images_without_labels_need_format_only(cfg):
    cfg.val_dataloader.dataset.pipeline.pop(2)
    cfg.val_evaluator.format_only = True
    assert check_first_images(cfg, 'val') is None


@TRANSFORMS.register_module()
class HalfImage(BaseTransform):
    """A transform of a user that changes only the image."""

    def transform(self, results):
        return dict(results, img=results['img'][:24])


def test_training_labels_of_another_size_than_their_image_are_an_error(cfg):
    cfg.train_dataloader.dataset.pipeline.insert(-1, dict(type='HalfImage'))
    with pytest.raises(ValueError, match=r'label map of .*png is 48 x 48 after train_dataloader.dataset.pipeline, but '
                                         'the image is 48 x 24. Put LoadAnnotations before the transforms'):
        check_first_images(cfg, 'train')


def test_a_first_batch_of_different_sizes_is_an_error_before_a_run(cfg):
    cfg.val_dataloader.batch_size = 2
    assert check_first_images(cfg, 'val') is None
    image, labels = (Path(cfg.data_root, folder, '1.png') for folder in ('val', 'valannot'))
    for path in (image, labels):
        cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:24])
    with pytest.raises(ValueError, match=r'different sizes: 64 x 48 .*0.png., .*1.png.. Set val_dataloader.batch_size'):
        check_first_images(cfg, 'val')
