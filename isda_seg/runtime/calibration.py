"""Whether a classifier is as sure as it is right: expected calibration error, gathered batch by batch.

Torchmetrics keeps the confidence of every sample until the end, too much for pixels; here it is three sums a bin.
"""
from typing import NamedTuple

import torch
from torch import Tensor

BINS = 15


class Calibration(NamedTuple):
    """Sums over the samples whose confidence falls into each of equally wide bins; add two of them field by field."""
    count: Tensor       # (bins,) int64
    confidence: Tensor  # (bins,) float64
    hits: Tensor        # (bins,) int64

    @property
    def error(self) -> float:
        """Expected calibration error (Naeini et al., AAAI 2015): |accuracy - confidence|, mean over samples; 0..1."""
        gaps = (self.hits - self.confidence).abs().sum()
        return float(gaps / self.count.sum().clamp(min=1))


def calibration(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> Calibration:
    """Sums of one batch.

    Args:
        probabilities: (N, C).
        labels: (N,) in 0..C-1.
        bins: of confidence, the largest probability; a bin holds its upper edge.
    """
    confidence, predicted = probabilities.double().max(dim=1)
    place = (confidence * bins).ceil().long().sub(1).clamp(0, bins - 1)
    hits = (predicted == labels).long()
    return Calibration(torch.bincount(place, minlength=bins), torch.bincount(place, confidence, minlength=bins),
                       torch.bincount(place, hits.double(), minlength=bins).long())


def joined(parts: list[Calibration]) -> Calibration:
    """Those of all batches."""
    return Calibration(*(torch.stack(field).sum(dim=0) for field in zip(*parts, strict=True)))
