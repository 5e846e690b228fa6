"""Logits and labels of a prediction, with optional logit adjustment."""
import torch
from torch import Tensor

from isda_seg.core.prior import adjust_logits


def adjusted(sample: dict[str, Tensor], adjustment: list[float] | None) -> tuple[Tensor, Tensor]:
    """Return the logits (B, C) of a prediction plus ``adjustment`` (C,), and the labels (B,), on the CPU."""
    logits = sample['logits'].detach().cpu()
    return adjust_logits(logits, None if adjustment is None else torch.tensor(adjustment)), sample['labels'].cpu()
