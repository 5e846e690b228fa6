"""Top-k accuracy and error in per cent, negative log-likelihood and calibration error."""
import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.registry import METRICS
from torch import Tensor

from isda_seg.core.prior import adjust_logits
from isda_seg.metrics.likelihood import Likelihood, chunked_likelihood, likelihood_metrics


class LogitMetric(BaseMetric):
    """Base class of metrics. A prediction is a dict with ``logits`` (B, C) and ``labels`` (B,).

    Args:
        adjustment: (C,) added to the logits, ``-tau * log prior``, or None.
    """

    def __init__(self, adjustment: list[float] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.adjustment = None if adjustment is None else torch.tensor(adjustment)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Store one result for every image, so that images duplicated across ranks count once."""
        for sample in data_samples:
            logits = adjust_logits(sample['logits'].detach().cpu(), self.adjustment)
            self.results.extend(self._of_images(logits, sample['labels'].cpu()))

    def _of_images(self, logits: Tensor, labels: Tensor) -> Iterator[Any]:
        """Yield the result of every image."""
        raise NotImplementedError


@METRICS.register_module()
class TopKAccuracy(LogitMetric):
    """Metrics ``top<k>_accuracy`` and ``top<k>_error`` for every k; non-finite logits count as wrong.

    Args:
        topk: values of k.
        mean_class_error: add ``mean_class_error``, the mean of the top-1 error over the classes that occur, which is
            the usual metric for long-tailed data.
    """

    def __init__(self, topk: Sequence[int] = (1,), mean_class_error: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topk, self.mean_class_error = tuple(topk), mean_class_error

    def _of_images(self, logits: Tensor, labels: Tensor) -> Iterator[list[int]]:
        """Yield the label, and whether it is among the highest 1 and the highest k logits."""
        highest = logits.topk(max(self.topk), dim=1).indices
        right = (highest == labels[:, None]) & logits.isfinite().all(dim=1, keepdim=True)
        hits = [right[:, :k].any(dim=1) for k in (1, *self.topk)]
        yield from torch.stack([labels, *hits], dim=1).tolist()

    def compute_metrics(self, results: list[list[int]]) -> dict[str, float]:
        """Compute the means over the images of all ranks."""
        labels, first, *hits = torch.tensor(results).t()
        accuracies = 100 * torch.stack(hits).double().mean(dim=1)
        metrics = {}
        for k, accuracy in zip(self.topk, accuracies.tolist(), strict=True):
            metrics.update({f'top{k}_accuracy': accuracy, f'top{k}_error': 100 - accuracy})
        if self.mean_class_error:
            by_class = [first[labels == label].double().mean() for label in labels.unique()]
            metrics['mean_class_error'] = 100 - 100 * float(torch.stack(by_class).mean())
        return metrics


@METRICS.register_module()
class LikelihoodMetric(LogitMetric):
    """Metrics ``nll``, and ``ece`` in per cent (15 bins); with a warning, none if they cannot be computed."""

    def _of_images(self, logits: Tensor, labels: Tensor) -> Iterator[Likelihood | None]:
        try:
            return iter([chunked_likelihood([one]) for one in zip(logits[:, None], labels[:, None], strict=True)])
        except Exception as error:
            print_log(f'{type(self).__name__} is left out: {error}', 'current', logging.WARNING)
            return iter([None] * len(labels))

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Compute the means over the images of all ranks."""
        return likelihood_metrics(results) if None not in results else {}
