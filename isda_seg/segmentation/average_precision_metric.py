"""Pixel-wise average precision, a threshold-free measure of the logits."""
from collections import OrderedDict
from functools import reduce
from typing import Any

from mmseg.registry import METRICS

from isda_seg.metrics.average_precision import Ranking, average_precision, merge_rankings, ranking
from isda_seg.metrics.class_names import unique_names
from isda_seg.segmentation.adjusted_logits import labelled_logits
from isda_seg.segmentation.likelihood_metric import LogitMetric


@METRICS.register_module()
class PixelAveragePrecisionMetric(LogitMetric):
    """One-vs-rest average precision ``mean_AP`` and ``AP.<class>`` in per cent, from the logits of labelled pixels.

    Arguments as in ``LogitMetric``.
    """

    def sums(self, sample: dict[str, Any]) -> Ranking:
        """Return the histograms of an image."""
        parts = (ranking(*part) for part in labelled_logits(sample, self.ignore_index, self.adjustment))
        return Ranking(*(field.cpu() for field in reduce(lambda a, b: merge_rankings([a, b]), parts)))

    def whole(self, results: list[Ranking]) -> dict[str, float]:
        """Return the metrics over all images; classes without pixels are NaN and excluded from the mean."""
        found = 100 * average_precision(merge_rankings(results))
        names = unique_names(self.dataset_meta['classes'])
        by_class = {f'AP.{name}': float(value) for name, value in zip(names, found, strict=True)}
        return OrderedDict(mean_AP=float(found.nanmean()), **by_class)
