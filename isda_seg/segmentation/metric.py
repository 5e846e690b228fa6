"""IoU of every class beside the mean, so that results can be compared class by class."""
from collections import OrderedDict

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """MMSeg's IoUMetric with ``IoU.<class>`` in per cent, NaN where the class never occurs, and ``mIoU`` unrounded."""

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Results are (intersection, union, predicted, labelled) areas (C,) of each image."""
        metrics = super().compute_metrics(results)
        areas = [sum(image[k] for image in results) for k in range(4)]
        iou = self.total_area_to_metrics(*areas, ['mIoU'])['IoU']
        names = self.dataset_meta['classes']
        per_class = {f'IoU.{name}': 100 * float(value) for name, value in zip(names, iou, strict=True)}
        return OrderedDict(metrics, mIoU=100 * float(np.nanmean(iou)), **per_class)
