"""IoU, precision and recall per class."""
import math

import pytest
import torch

from isda_seg.segmentation.metric import ClassIoUMetric


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
