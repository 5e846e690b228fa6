"""Pixel-wise average precision, a threshold-free measure of the logits."""
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from isda_seg.metrics.average_precision import Ranking, average_precision, merge_rankings, ranking
from isda_seg.segmentation.adjusted_logits import labelled_logits


@METRICS.register_module()
class PixelAveragePrecisionMetric(BaseMetric):
    """One-vs-rest average precision ``mean_AP`` and ``AP.<class>`` in per cent, from the logits of labelled pixels.

    Args:
        ignore_index: label of ignored pixels.
    """

    def __init__(self, ignore_index: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the histograms of the batch."""
        found = [ranking(*labelled_logits(sample, self.ignore_index)) for sample in data_samples]
        self.results.append(Ranking(*(field.cpu() for field in merge_rankings(found))))

    def compute_metrics(self, results: list[Ranking]) -> dict[str, float]:
        """Compute the metrics over all images; classes without pixels are NaN and excluded from the mean."""
        found = 100 * average_precision(merge_rankings(results))
        by_class = {f'AP.{name}': float(value)
                    for name, value in zip(self.dataset_meta['classes'], found, strict=True)}
        return OrderedDict(mean_AP=float(found.nanmean()), **by_class)
