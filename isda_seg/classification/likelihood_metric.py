"""Negative log-likelihood and calibration error of an image classifier."""
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from isda_seg.classification.adjusted_logits import adjusted
from isda_seg.metrics.likelihood import Likelihood, likelihood, measures


@METRICS.register_module()
class LikelihoodMetric(BaseMetric):
    """Metrics ``nll``, and ``ece`` in per cent (15 bins); predictions as in ``TopKAccuracy``.

    Args:
        adjustment: (C,) added to the logits, ``-tau * log prior``, or None.
    """

    def __init__(self, adjustment: list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.adjustment = adjustment

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store the sums of every image separately, so that images duplicated across ranks count once."""
        for sample in data_samples:
            logits, labels = adjusted(sample, self.adjustment)
            self.results.extend(likelihood(logits[one:one + 1], labels[one:one + 1]) for one in range(len(labels)))

    def compute_metrics(self, results: list[Likelihood]) -> dict[str, float]:
        """Compute the means over the images of all ranks."""
        return measures(results)
