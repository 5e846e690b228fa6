"""Top-k accuracy and error, in per cent."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from isda_seg.classification.adjusted_logits import adjusted


@METRICS.register_module()
class TopKAccuracy(BaseMetric):
    """Metrics ``top<k>_accuracy`` and ``top<k>_error`` for every k; non-finite logits count as wrong.

    The model predicts a list of dicts with ``logits`` (B, C) and ``labels`` (B,), usually one for the whole batch.

    Args:
        topk: values of k.
        mean_class_error: add ``mean_class_error``, the mean of the top-1 error over the classes that occur, which is
            the usual metric for long-tailed data.
        adjustment: (C,) added to the logits, ``-tau * log prior``, or None.
    """

    def __init__(self, topk: Sequence[int] = (1,), mean_class_error: bool = False,
                 adjustment: list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topk, self.mean_class_error, self.adjustment = tuple(topk), mean_class_error, adjustment

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store for every image its label, and whether the label is among the highest 1 and the highest k logits."""
        for sample in data_samples:
            logits, labels = adjusted(sample, self.adjustment)
            if max(self.topk) > logits.shape[1]:
                raise ValueError(f'top-{max(self.topk)} metrics need at least {max(self.topk)} classes, but the model '
                                 f'has {logits.shape[1]}. Set a smaller topk')
            highest = logits.topk(max(self.topk), dim=1).indices
            right = (highest == labels[:, None]) & logits.isfinite().all(dim=1, keepdim=True)
            hits = [right[:, :k].any(dim=1) for k in (1, *self.topk)]
            self.results.extend(torch.stack([labels, *hits], dim=1).tolist())

    def compute_metrics(self, results: list[list[int]]) -> dict[str, float]:
        """Compute the means over the images of all ranks."""
        labels, first, *hits = torch.tensor(results).t()
        accuracies = 100 * torch.stack(hits).double().mean(dim=1)
        metrics = {}
        for k, accuracy in zip(self.topk, accuracies.tolist(), strict=True):
            metrics.update({f'top{k}_accuracy': accuracy, f'top{k}_error': 100 - accuracy})
        if self.mean_class_error:
            found = [first[labels == label].double().mean() for label in labels.unique()]
            metrics['mean_class_error'] = 100 - 100 * float(torch.stack(found).mean())
        return metrics
