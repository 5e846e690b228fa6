"""Pixel-wise metrics of the logits: negative log-likelihood, calibration error, average precision."""
import logging
from collections import OrderedDict
from collections.abc import Sequence
from functools import reduce
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmseg.registry import METRICS

from isda_seg.metrics.average_precision import Ranking, average_precision, ranking
from isda_seg.metrics.class_names import unique_names
from isda_seg.metrics.likelihood import Likelihood, chunked_likelihood, likelihood_metrics, summed
from isda_seg.segmentation.adjusted_logits import labelled_logits


class PixelMetric(BaseMetric):
    """Base of metrics of the logits that are added to the metrics of a config.

    A prediction without suitable logits costs only these metrics: they are left out with a warning.

    Args:
        ignore_index: label of ignored pixels.
        adjustment: (C,) added to the logits, ``-tau * log prior``, or None.
    """

    def __init__(self, ignore_index: int = 255, adjustment: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index, self.adjustment = ignore_index, adjustment

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the sums of every image; None if they cannot be computed."""
        for sample in data_samples:
            try:
                found = self._sums(sample)
            except Exception as error:
                print_log(f'{type(self).__name__} is left out, because it cannot evaluate the prediction for '
                          f'{sample.get("img_path")}: {error}', 'current', logging.WARNING)
                found = None
            self.results.append(found)

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compute the metrics over all images; none if an image has no sums."""
        return self._whole(results) if results and None not in results else {}

    def _sums(self, sample: dict[str, Any]) -> Any:
        """Return the sums over the pixels of an image, on the CPU."""
        raise NotImplementedError

    def _whole(self, results: list[Any]) -> dict[str, float]:
        """Return the metrics from the sums of all images."""
        raise NotImplementedError


@METRICS.register_module()
class PixelLikelihoodMetric(PixelMetric):
    """Metrics ``nll``, and ``ece`` in per cent (15 bins), over labelled pixels; arguments as in ``PixelMetric``.

    They need logits, hence predictions without test-time augmentation or those of ``LogProbabilityTTAModel``.
    """

    def _sums(self, sample: dict[str, Any]) -> Likelihood:
        found = chunked_likelihood(labelled_logits(sample, self.ignore_index, self.adjustment))
        return Likelihood(*(field.cpu() for field in found))

    def _whole(self, results: list[Likelihood]) -> dict[str, float]:
        return likelihood_metrics(results)


@METRICS.register_module()
class PixelAveragePrecisionMetric(PixelMetric):
    """One-vs-rest average precision ``mean_AP`` and ``AP.<class>`` in per cent, from the logits of labelled pixels.

    Classes without pixels are NaN and excluded from the mean; outputs without a class name are left out. Arguments as
    in ``PixelMetric``.
    """

    def _sums(self, sample: dict[str, Any]) -> Ranking:
        parts = (ranking(*part) for part in labelled_logits(sample, self.ignore_index, self.adjustment))
        return Ranking(*(field.cpu() for field in reduce(lambda a, b: Ranking(*summed([a, b])), parts)))

    def _whole(self, results: list[Ranking]) -> dict[str, float]:
        precision = 100 * average_precision(Ranking(*summed(results)))
        names = unique_names(self.dataset_meta.get('classes') or [*map(str, range(len(precision)))])
        precision = precision[:len(names)]
        by_class = {f'AP.{name}': float(value) for name, value in zip(names, precision, strict=False)}
        return OrderedDict(mean_AP=float(precision.nanmean()), **by_class)
