"""Labels as masks and indices: ignored samples, class probabilities, samples of maps."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.ops.device import constant

LABEL_DTYPES = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)


def labelled(labels: Tensor, ignore_index: int | None) -> Tensor:
    """Return a mask of the shape of ``labels`` that is False at ``ignore_index`` and True elsewhere."""
    if ignore_index is None:
        return torch.ones_like(labels, dtype=torch.bool)
    return labels.long() != ignore_index  # a smaller integer type would wrap the index around


def number_labelled(labels: Tensor, ignore_index: int | None) -> Tensor:
    """Return the number of labelled samples, at least 1, as a scalar tensor: the divisor of a mean over them."""
    return labelled(labels, ignore_index).sum().clamp(min=1)


def class_index(labels: Tensor, num_classes: int, ignore_index: int | None) -> Tensor:
    """Return the int64 labels with ``ignore_index`` replaced by ``num_classes + 1``, for use as an index."""
    if ignore_index in (None, num_classes + 1):
        return labels
    return torch.where(labels == ignore_index, constant(num_classes + 1, (), torch.int64, labels.device), labels)


def outside(labels: Tensor, num_classes: int, ignore_index: int | None) -> Tensor:
    """Return a mask of the shape of ``labels`` that is True for labels other than classes and ``ignore_index``."""
    return ((labels < 0) | (labels >= num_classes)) & labelled(labels, ignore_index)


def is_soft(logits: Tensor, labels: Any) -> bool:
    """Return whether the labels are class probabilities: floating-point numbers in the shape of the logits."""
    return isinstance(labels, Tensor) and labels.is_floating_point() and labels.shape == logits.shape


def per_image(features: Tensor, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Return views (n, A) of the features and (n,) of the labels: one pair for samples, one per image for maps."""
    if features.dim() == 2:
        return [(features, labels)]
    return [(image.flatten(1).t(), label.flatten()) for image, label in zip(features, labels, strict=True)]
