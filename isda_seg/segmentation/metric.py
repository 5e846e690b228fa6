"""IoU, precision and recall per class."""
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmseg.evaluation import IoUMetric
from mmseg.registry import METRICS

from isda_seg.segmentation.adjusted_logits import adjusted

BY_CLASS = ('IoU', 'precision', 'recall')


@METRICS.register_module()
class ClassIoUMetric(IoUMetric):
    """IoUMetric with unrounded ``mIoU``, and with ``IoU.<class>``, ``precision.<class>`` and ``recall.<class>``.

    Values are in per cent. A metric is NaN if the class does not occur: for precision in the predictions, for recall in
    the labels.

    Args:
        adjustment: (C,) added to the logits before their argmax, ``-tau * log prior``; None uses the predictions.
    """

    def __init__(self, *args: Any, adjustment: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adjustment = adjustment

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the areas of every image."""
        super().process(data_batch, [adjusted(sample, self.adjustment) for sample in data_samples])

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compute the metrics from the areas (C,) of each image: intersection, union, predicted, labelled."""
        metrics = super().compute_metrics(results)
        if self.format_only:  # no labels: the predictions were only written
            return metrics
        areas = [sum(image[k] for image in results) for k in range(4)]
        right, _, predicted, labelled = areas
        iou = self.total_area_to_metrics(*areas, ['mIoU'])['IoU']
        found = dict(zip(BY_CLASS, (iou, right / predicted, right / labelled), strict=True))
        names = self.dataset_meta['classes']
        per_class = {f'{kind}.{name}': 100 * float(value) for kind, values in found.items()
                     for name, value in zip(names, values, strict=True)}
        return OrderedDict(metrics, mIoU=100 * float(np.nanmean(iou)), **per_class)
