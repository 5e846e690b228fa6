"""One-vs-rest average precision per class, from histograms of the log-odds that accumulate over images.

scikit-learn's function needs the scores of all pixels at once; here every image adds to two histograms per class.
"""
from typing import NamedTuple

import torch
from torch import Tensor

BINS, LARGEST = 4096, 24.0  # log-odds beyond +-LARGEST fall into the outer bins


class Ranking(NamedTuple):
    """Histograms of the log-odds per class, in increasing order."""
    positive: Tensor  # (C, bins) int64, number of samples of the class
    negative: Tensor  # (C, bins) int64, number of samples of other classes


def ranking(logits: Tensor, labels: Tensor, bins: int = BINS) -> Ranking:
    """Return the histograms of N samples with logits (N, C) and labels (N,) in 0..C-1."""
    classes = logits.shape[1]
    log_p = logits.double().log_softmax(dim=1)
    odds = log_p - torch.log(-torch.expm1(log_p).clamp(max=-torch.finfo(torch.float64).tiny))  # log p / (1 - p)
    place = ((odds + LARGEST) * (bins / (2 * LARGEST))).nan_to_num().floor().long().clamp(0, bins - 1)
    place = place + bins * torch.arange(classes, device=logits.device)
    every = torch.bincount(place.flatten(), minlength=classes * bins)
    positive = torch.bincount(place.gather(1, labels[:, None]).flatten(), minlength=classes * bins)
    return Ranking(positive.view(classes, bins), (every - positive).view(classes, bins))


def average_precision(found: Ranking) -> Tensor:
    """Return ``sum_k (R_k - R_{k-1}) P_k`` over all bin edges, (C,) in 0..1; NaN for a class without samples."""
    hits, misses = (field.flip(1).cumsum(1).double() for field in found)
    precision = hits / (hits + misses).clamp(min=1)
    recall = hits / hits[:, -1:]
    steps = recall.diff(dim=1, prepend=torch.zeros_like(recall[:, :1]))
    return (steps * precision).sum(dim=1)
