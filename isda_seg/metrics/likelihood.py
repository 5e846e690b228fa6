"""Negative log-likelihood and expected calibration error, accumulated over images.

torchmetrics stores the confidence of every sample, too much memory for pixels; here every image adds to four sums per
bin.
"""
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

BINS = 15


class Likelihood(NamedTuple):
    """Sums over the samples in each of several equal-width bins of the confidence (the largest probability)."""
    count: Tensor       # type: ignore[assignment]  # (bins,) int64
    confidence: Tensor  # (bins,) float64
    hits: Tensor        # (bins,) int64
    nll: Tensor         # (bins,) float64, negative log-probability of the label


def chunked_likelihood(chunks: Iterable[tuple[Tensor, Tensor]], bins: int = BINS) -> Likelihood:
    """Return the sums over the samples of at least one chunk, logits (n, C) and labels (n,) in 0..C-1.

    The sums do not depend on the division into chunks. A bin includes its upper edge.
    """
    parts = [_of_samples(logits, labels) for logits, labels in chunks]
    confidence, hits, nll = (torch.cat(values) for values in zip(*parts, strict=True))
    place = (confidence.nan_to_num() * bins).ceil().long().sub(1).clamp(0, bins - 1)

    def summed(values: Tensor) -> Tensor:
        return torch.bincount(place, values, minlength=bins)

    return Likelihood(torch.bincount(place, minlength=bins), summed(confidence), summed(hits.double()).long(),
                      summed(nll))


def _of_samples(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return confidence (n,), whether the prediction is right (n,) and negative log-probability (n,) of samples."""
    log_probabilities = logits.double().log_softmax(dim=1)
    largest, predicted = log_probabilities.max(dim=1)
    return largest.exp(), predicted == labels, F.nll_loss(log_probabilities, labels, reduction='none')


def summed(parts: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
    """Add the sums of several images, tuples of tensors, field by field."""
    return [torch.stack(field).sum(dim=0) for field in zip(*parts, strict=True)]


def likelihood_metrics(parts: Sequence[Likelihood]) -> dict[str, Any]:
    """Return the mean ``nll``, and the expected calibration error ``ece`` (Naeini et al., AAAI 2015) in per cent."""
    count, confidence, hits, nll = summed(parts)
    number = count.sum().clamp(min=1)
    return dict(nll=float(nll.sum() / number), ece=100 * float((hits - confidence).abs().sum() / number))
