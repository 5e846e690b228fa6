"""Top-k accuracy and error, in per cent."""
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS


@METRICS.register_module()
class TopKAccuracy(BaseMetric):
    """``top<k>_accuracy`` and ``top<k>_error`` for every k; scores that are not finite count as wrong.

    The model predicts a list of dicts with ``logits`` (B, C) and ``labels`` (B,), usually one for the whole batch.
    """

    def __init__(self, topk: Sequence[int] = (1,), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topk = tuple(topk)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep for every image and k whether its label is among the k highest scores."""
        for sample in data_samples:
            logits, labels = sample['logits'].detach().cpu(), sample['labels'].cpu()
            if max(self.topk) > logits.shape[1]:
                raise ValueError(f'top-{max(self.topk)} needs as many classes, the model has {logits.shape[1]}')
            highest = logits.topk(max(self.topk), dim=1).indices
            right = (highest == labels[:, None]) & logits.isfinite().all(dim=1, keepdim=True)
            self.results.extend(torch.stack([right[:, :k].any(dim=1) for k in self.topk], dim=1).tolist())

    def compute_metrics(self, results: list[list[bool]]) -> dict[str, float]:
        """Means over all images of all ranks."""
        accuracies = 100 * torch.tensor(results, dtype=torch.float64).mean(dim=0)
        metrics = {}
        for k, accuracy in zip(self.topk, accuracies.tolist(), strict=True):
            metrics.update({f'top{k}_accuracy': accuracy, f'top{k}_error': 100 - accuracy})
        return metrics
