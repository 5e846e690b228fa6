"""Negative log-likelihood and calibration of a segmentor's pixels."""
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric
from mmseg.registry import METRICS

from isda_seg.runtime.likelihood import Likelihood, likelihood, measures


@METRICS.register_module()
class PixelLikelihoodMetric(BaseMetric):
    """``nll``, and ``ece`` in per cent (15 bins), over labelled pixels; of logits, so without test-time augmentation.

    Args:
        ignore_index: label that does not count.
    """

    def __init__(self, ignore_index: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_index = ignore_index

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the sums of every image."""
        for sample in data_samples:
            logits = sample['seg_logits']['data'].flatten(1).t()
            labels = sample['gt_sem_seg']['data'].flatten().to(logits.device).long()
            kept = labels != self.ignore_index
            found = likelihood(logits[kept], labels[kept])
            self.results.append(Likelihood(*(field.cpu() for field in found)))

    def compute_metrics(self, results: list[Likelihood]) -> dict[str, float]:
        """Means over the pixels of all images."""
        return measures(results)
