"""IoU, precision and recall per class."""
import math

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS
from PIL import Image

from isda_seg.segmentation.metric import ClassIoUMetric, LabelMapMetric, name_outputs, write_distinct, write_labels


def test_metrics_per_class_are_computed_over_all_images():
    metric = ClassIoUMetric(iou_metrics=['mIoU'], ignore_index=9)
    metric.dataset_meta = dict(classes=('road', 'sky', 'car'))
    for predicted, truth in (([0, 0, 1, 1], [0, 1, 1, 9]), ([0, 0, 0, 0], [0, 0, 1, 1])):
        areas = metric.intersect_and_union(torch.tensor(predicted), torch.tensor(truth), 3, 9)
        metric.results.append(areas)
    result = metric.compute_metrics(metric.results)
    assert result['IoU.road'] == pytest.approx(100 * 3 / 6)
    assert result['IoU.sky'] == pytest.approx(100 * 1 / 4)
    assert math.isnan(result['IoU.car']) is True
    assert result['mIoU'] == pytest.approx((50 + 25) / 2)
    assert (result['precision.road'], result['recall.road']) == pytest.approx((100 * 3 / 6, 100.0))
    assert (result['precision.sky'], result['recall.sky']) == pytest.approx((100.0, 100 * 1 / 4))
    assert math.isnan(result['precision.car']) and math.isnan(result['recall.car']) is True


def prediction(path, values, **keys):
    return dict(img_path=path, pred_sem_seg=dict(data=torch.tensor([values])), gt_sem_seg=dict(data=torch.tensor(
        [values])), **keys)


def test_classes_of_one_name_have_separate_entries():
    metric = ClassIoUMetric()
    metric.dataset_meta = dict(classes=('car', 'car'))
    metric.process(None, [dict(prediction('a', [[0, 0, 1]]), gt_sem_seg=dict(data=torch.tensor([[[0, 0, 0]]])))])
    found = metric.compute_metrics(metric.results)
    assert found['IoU.car (class 0)'] == pytest.approx(200 / 3) and found['IoU.car (class 1)'] == 0


@pytest.mark.parametrize('classes, reduce, dtype', [(256, False, np.uint8), (255, True, np.uint8),
                                                    (257, False, np.uint16), (256, True, np.uint16)])
def test_label_maps_are_wide_enough_for_all_classes(tmp_path, classes, reduce, dtype):
    metric = ClassIoUMetric(output_dir=str(tmp_path))
    metric.dataset_meta = dict(classes=[str(c) for c in range(classes)])
    metric.process(None, [prediction('data/a.jpg', [[0, classes - 1]], reduce_zero_label=reduce)])
    written = np.asarray(Image.open(tmp_path / 'a.png'))
    assert written.dtype == dtype and written.tolist() == [[0 + reduce, classes - 1 + reduce]]


def test_label_maps_have_the_names_of_the_images(tmp_path):
    metric = ClassIoUMetric(output_dir=str(tmp_path), format_only=True)
    metric.dataset_meta, metric.names = dict(classes=('road', 'car')), {'d/a/0.png': 'a/0', 'd/b/0.png': 'b/0'}
    metric.process(None, [prediction('d/a/0.png', [[0]]), prediction('d/b/0.png', [[1]])])
    assert [np.asarray(Image.open(tmp_path / name / '0.png')).item() for name in 'ab'] == [0, 1]


def test_label_maps_are_wide_enough_for_labels_beyond_the_names(tmp_path):
    write_labels(tmp_path / 'a.png', torch.tensor([[290, 5]]), 150, False)
    write_labels(tmp_path / 'b.png', torch.tensor([[255, 5]]), 150, True)
    assert [np.asarray(Image.open(tmp_path / f'{name}.png')).tolist() for name in 'ab'] == [[[290, 5]], [[256, 6]]]


@METRICS.register_module()
class OwnIoU(IoUMetric):
    """A metric of a user."""

    def compute_metrics(self, results):
        return dict(own=len(results))


def test_a_derived_metric_writes_images_of_one_name_into_their_folders(tmp_path):
    cfg = dict(type='OwnIoU', output_dir=str(tmp_path))
    assert name_outputs(cfg) is True
    metric = METRICS.get(cfg['type'])(output_dir=str(tmp_path))
    metric.dataset_meta, metric.names = dict(classes=('road', 'car')), {'d/a/0.png': 'a/0', 'd/b/0.png': 'b/0'}
    metric.process(None, [prediction('d/a/0.png', [[0]]), prediction('d/b/0.png', [[1]])])
    assert [np.asarray(Image.open(tmp_path / name / '0.png')).item() for name in 'ab'] == [0, 1]
    assert isinstance(metric, LabelMapMetric) and metric.evaluate(2) == dict(own=2)


def test_validation_names_label_maps_of_derived_metrics(tmp_path):
    cfg = Config(dict(val_evaluator=[dict(type='OwnIoU', output_dir=str(tmp_path)), dict(type='OwnIoU')]))
    write_distinct(cfg)
    assert [metric.type for metric in cfg.val_evaluator] == ['LabelMapOwnIoU', 'OwnIoU']
    assert [hook.type for hook in cfg.custom_hooks] == ['OutputNamesHook']


def test_a_prediction_of_an_output_without_a_name_is_an_error_of_the_label():
    metric = ClassIoUMetric(ignore_index=9)
    metric.dataset_meta = dict(classes=('road', 'sky'))
    metric.process(None, [dict(prediction('a', [[0, 2, 2, 1]]), gt_sem_seg=dict(data=torch.tensor([[[0, 0, 9, 1]]])))])
    found = metric.compute_metrics(metric.results)
    assert (found['IoU.road'], found['IoU.sky'], found['mIoU']) == (50, 100, 75)
    assert found['aAcc'] == pytest.approx(100 * 2 / 3, abs=0.01)
