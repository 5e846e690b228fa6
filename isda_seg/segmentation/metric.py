"""IoU, precision and recall of every class beside the mean, so that results can be compared class by class."""
from collections import OrderedDict

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

BY_CLASS = ('IoU', 'precision', 'recall')


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """MMSeg's IoUMetric with ``mIoU`` unrounded, and ``IoU.<class>``, ``precision.<class>`` and ``recall.<class>``.

    In per cent; NaN where the class never occurs: for precision in the predictions, for recall in the labels.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Results are (intersection, union, predicted, labelled) areas (C,) of each image."""
        metrics = super().compute_metrics(results)
        if self.format_only:  # nothing was labelled: predictions were written, and that is all
            return metrics
        areas = [sum(image[k] for image in results) for k in range(4)]
        right, _, predicted, labelled = areas
        iou = self.total_area_to_metrics(*areas, ['mIoU'])['IoU']
        found = dict(zip(BY_CLASS, (iou, right / predicted, right / labelled), strict=True))
        names = self.dataset_meta['classes']
        per_class = {f'{kind}.{name}': 100 * float(value) for kind, values in found.items()
                     for name, value in zip(names, values, strict=True)}
        return OrderedDict(metrics, mIoU=100 * float(np.nanmean(iou)), **per_class)
