"""Pixel-wise negative log-likelihood and calibration error."""
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from isda_seg.metrics.likelihood import Likelihood, likelihood, measures
from isda_seg.segmentation.adjusted_logits import adjusted, labelled_logits


@METRICS.register_module()
class PixelLikelihoodMetric(BaseMetric):
    """Metrics ``nll``, and ``ece`` in per cent (15 bins), over labelled pixels.

    They need logits, hence predictions without test-time augmentation or those of ``LogProbabilityTTAModel``.

    Args:
        ignore_index: label of ignored pixels.
        adjustment: (C,) added to the logits, ``-tau * log prior``, or None.
    """

    def __init__(self, ignore_index: int = 255, adjustment: Sequence[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index, self.adjustment = ignore_index, adjustment

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the sums of every image."""
        for sample in data_samples:
            found = likelihood(*labelled_logits(adjusted(sample, self.adjustment), self.ignore_index))
            self.results.append(Likelihood(*(field.cpu() for field in found)))

    def compute_metrics(self, results: list[Likelihood]) -> dict[str, float]:
        """Compute the means over the pixels of all images."""
        return measures(results)
