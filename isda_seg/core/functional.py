"""The ISDA loss: one table row added to each sample's logits, then cross-entropy (Eq. 7)."""
import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.add_rows import add_rows
from isda_seg.core.checks import at_least_float32, check_logits, labelled
from isda_seg.core.compiled import compiles
from isda_seg.core.device import on_host
from isda_seg.core.fused import fused_cross_entropy
from isda_seg.core.margin import label_margin_variance, margin_variance
from isda_seg.core.precision import full_precision
from isda_seg.core.schedule import check_strength
from isda_seg.core.upsampled import Grid


def augment_logits(logits: Tensor, labels: Tensor, table: Tensor, strength: float, *,
                   ignore_index: int | None = None) -> Tensor:
    """``logits + strength / 2 * table[label]``: the numerator and denominator of Eq. 7 as ordinary logits.

    The true class's logit never changes (the table's diagonal is 0), nor does an ignored sample.

    Args:
        logits: (N, C) or (N, C, ...), as for ``F.cross_entropy``.
        labels: (N,) or (N, ...) integers.
        table: (C, C) from ``margin_variance``; gradients flow into it.
        strength: lambda.
        ignore_index: samples with this label stay as they are.

    Returns:
        like logits, at least float32.

    Raises:
        ValueError: shapes that do not fit, a bad strength, a label outside the classes (on a CPU).
    """
    labels, table, half = _checked(logits, labels, table, strength, ignore_index)
    logits = logits.to(table.dtype)
    with full_precision(logits.device.type):
        if logits.dim() == 2:  # samples are the pixels of one image
            return add_rows(logits.t()[None], labels[None], table, half, ignore_index)[0].t()
        return add_rows(logits.flatten(2), labels.flatten(1), table, half, ignore_index).view(logits.shape)


def _checked(logits: Tensor, labels: Tensor, table: Tensor, strength: float,
             ignore_index: int | None) -> tuple[Tensor, Tensor, float]:
    """The labels as int64, the table, at least float32, and ``strength / 2``."""
    labels = check_logits(logits, labels, ignore_index)
    classes = logits.shape[1]
    if table.shape != (classes, classes):
        raise ValueError(f'table must have shape ({classes}, {classes}), got {tuple(table.shape)}')
    return labels, table.to(at_least_float32(logits, table)), check_strength(strength) / 2


def isda_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                       ignore_index: int | None = -100, reduction: str = 'mean') -> Tensor:
    """The ISDA loss (Eq. 7, Proposition 1): an upper bound of the expected cross-entropy of infinitely many samples.

    Args:
        logits: (N, C) or (N, C, ...).
        labels: (N,) or (N, ...).
        weight: (C, A) of the classifier that made the logits.
        covariance: (C, A) or (C, A, A), or leading dimension 1.
        strength: lambda.
        ignore_index: samples with this label give no loss and no gradient; None: every sample counts.
        reduction: 'mean' over labelled samples, 'sum' or 'none'. Nothing labelled: 0 with zero gradients.

    Raises:
        ValueError: shapes that do not fit, a bad strength, a label outside the classes (on a CPU).
    """
    strength = check_strength(strength)
    if logits.dim() == 2:
        augmented, _ = augment_samples(logits, labels, weight, covariance, strength, ignore_index=ignore_index)
        return cross_entropy(augmented, labels, ignore_index=ignore_index, reduction=reduction)
    table = margin_variance(weight, covariance)
    if reduction in ('mean', 'sum') and can_fuse(logits, strength):
        return augmented_cross_entropy(logits, labels, table, strength, ignore_index=ignore_index,
                                       divisor=None if reduction == 'mean' else 1.0)
    augmented = augment_logits(logits, labels, table, strength, ignore_index=ignore_index)
    return cross_entropy(augmented, labels, ignore_index=ignore_index, reduction=reduction)


def augment_samples(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                    ignore_index: int | None = None) -> tuple[Tensor, Tensor]:
    """``augment_logits`` for samples, by the table's rows of their labels alone: most classes are in no batch.

    Args, errors: as ``isda_cross_entropy``; logits (N, C), labels (N,).

    Returns:
        the logits (N, C) and the rows (N, C) of the table; an ignored sample's is 0.
    """
    labels = check_logits(logits, labels, ignore_index)
    if logits.shape[1] != len(weight):
        raise ValueError(f'logits must have shape (N, {len(weight)}), got {tuple(logits.shape)}')
    counts = labelled(labels, ignore_index)
    rows = label_margin_variance(weight, covariance, torch.where(counts, labels, 0)) * counts[:, None]
    dtype = at_least_float32(logits, rows)
    return logits.to(dtype) + rows.to(dtype) * (check_strength(strength) / 2), rows


def can_fuse(logits: Tensor, strength: float) -> bool:
    """Whether ``augmented_cross_entropy`` is the faster way: for the gradient of images on a host or a GPU.

    Not at strength 0, so that the loss is plain cross-entropy to the last bit.
    """
    return ((on_host(logits) or compiles(logits)) and logits.dim() > 2 and logits.requires_grad
            and torch.is_grad_enabled() and strength > 0)


def augmented_cross_entropy(logits: Tensor, labels: Tensor, table: Tensor, strength: float, *,
                            ignore_index: int | None, divisor: float | None = None, factor: float = 1.0,
                            grid: Grid | None = None) -> Tensor:
    """The cross-entropy of ``augment_logits``, summed over labelled pixels, times ``factor / divisor``, in one visit.

    Args, errors: as ``augment_logits``; logits (N, C, ...) with at least one more dimension.
        divisor: None is the number of labelled pixels.
        grid: on a host, of logits (N, C, H, W): rows are chosen by its labels and upsampled.
    """
    labels, table, half = _checked(logits, labels, table, strength, ignore_index)
    count: float | Tensor = labelled(labels, ignore_index).sum().clamp(min=1) if divisor is None else divisor
    logits = logits.to(table.dtype)
    if grid is None:
        logits, labels = logits.flatten(2), labels.flatten(1)
    return fused_cross_entropy(logits, labels, half * table, ignore_index, count / factor, grid)


def cross_entropy(logits: Tensor, labels: Tensor, *, ignore_index: int | None, reduction: str = 'mean') -> Tensor:
    """``F.cross_entropy`` whose mean over nothing is 0 instead of NaN, and that may ignore nothing (None)."""
    ignore_index = -100 if ignore_index is None else ignore_index
    if reduction != 'mean':
        return F.cross_entropy(logits, labels.long(), ignore_index=ignore_index, reduction=reduction)
    total = F.cross_entropy(logits, labels.long(), ignore_index=ignore_index, reduction='sum')
    return total / labelled(labels, ignore_index).sum().clamp(min=1)
