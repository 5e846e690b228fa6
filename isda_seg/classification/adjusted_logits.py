"""Predictions as the metrics of image classifiers get them."""
import torch
from torch import Tensor

from isda_seg.core.prior import adjust_logits


def adjusted(sample: dict[str, Tensor], adjustment: list[float] | None) -> tuple[Tensor, Tensor]:
    """The logits (B, C) of a prediction plus ``adjustment`` (C,), and the labels (B,), on the CPU."""
    logits = sample['logits'].detach().cpu()
    return adjust_logits(logits, None if adjustment is None else torch.tensor(adjustment)), sample['labels'].cpu()
