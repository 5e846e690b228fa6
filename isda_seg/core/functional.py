"""The ISDA loss: one table row added to each sample's logits, then cross-entropy (Eq. 7)."""
import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.margin import label_margin_variance, margin_variance
from isda_seg.core.ops.add_rows import add_rows
from isda_seg.core.ops.checks import at_least_float32, check_classes, check_logits, labelled, number_labelled
from isda_seg.core.ops.compiled import compiles
from isda_seg.core.ops.device import on_host
from isda_seg.core.ops.fused import fused_cross_entropy
from isda_seg.core.ops.precision import full_precision
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.prior import adjust_logits
from isda_seg.core.schedule import check_strength


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
    labels, half = check_logits(logits, labels, ignore_index), check_strength(strength) / 2
    classes = logits.shape[1]
    if table.shape != (classes, classes):
        raise ValueError(f'table must have shape ({classes}, {classes}), got {tuple(table.shape)}')
    return _add(logits, labels, table, half, ignore_index)


def _add(logits: Tensor, labels: Tensor, table: Tensor, half: float, ignore_index: int | None) -> Tensor:
    """``augment_logits`` of what has been checked."""
    table = table.to(at_least_float32(logits, table))
    logits = logits.to(table.dtype)
    with full_precision(logits.device.type):
        if logits.dim() == 2:  # samples are the pixels of one image
            return add_rows(logits.t()[None], labels[None], table, half, ignore_index)[0].t()
        return add_rows(logits.flatten(2), labels.flatten(1), table, half, ignore_index).view(logits.shape)


def isda_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                       ignore_index: int | None = -100, reduction: str = 'mean',
                       divisor: float | Tensor | None = None, grid: Grid | None = None,
                       checked: bool = False, adjustment: Tensor | None = None) -> Tensor:
    """The ISDA loss (Eq. 7, Proposition 1): an upper bound of the expected cross-entropy of infinitely many samples.

    Where images of logits are trained, each pixel is visited once (``fused_cross_entropy``); the value is the same.

    Args:
        logits: (N, C) or (N, C, ...).
        labels: (N,) or (N, ...).
        weight: (C, A) of the classifier that made the logits.
        covariance: (C, A) or (C, A, A), or leading dimension 1.
        strength: lambda. The authors' final one is 7.5 with diagonal covariances, 0.5 with full ones on CIFAR.
        ignore_index: samples with this label give no loss and no gradient; None: every sample counts.
        reduction: 'mean' over labelled samples, 'sum' or 'none'. Nothing labelled: 0 with zero gradients.
        divisor: what the mean divides the sum by, where that is not the number of labelled samples.
        grid: for logits (N, C, H, W), rows are chosen by its labels and upsampled, instead of by each pixel's own.
        checked: the labels are int64 and known to be classes or ignored: they are not read for that again.
        adjustment: (C,) ``tau * log_prior(count)``, added to the logits of every sample (logit adjustment); no gradient
            flows into it.

    Returns:
        a scalar; (N, ...) for 'none'.

    Raises:
        ValueError: shapes that do not fit, a bad strength, a label outside the classes (on a CPU).
    """
    strength = check_strength(strength)
    labels = labels if checked else check_logits(logits, labels, ignore_index)
    if reduction not in ('mean', 'sum') or not _fuses(logits, strength > 0 or adjustment is not None, grid):
        augmented = isda_logits(adjust_logits(logits, adjustment), labels, weight, covariance, strength,
                                ignore_index=ignore_index, grid=grid, checked=True)
        if divisor is None:
            return cross_entropy(augmented, labels, ignore_index=ignore_index, reduction=reduction)
        return cross_entropy(augmented, labels, ignore_index=ignore_index, reduction='sum') / divisor
    check_classes(logits, weight)
    table = margin_variance(weight, covariance) if strength else weight.new_zeros(len(weight), len(weight))
    table = table.to(at_least_float32(logits, table))
    if divisor is None:
        divisor = number_labelled(labels, ignore_index) if reduction == 'mean' else 1.0
    logits = logits.to(table.dtype)
    adjustment = None if adjustment is None else adjustment.to(table.dtype)
    if grid is None:
        logits, labels = logits.flatten(2), labels.flatten(1)
    return fused_cross_entropy(logits, labels, strength / 2 * table, ignore_index, divisor, grid, adjustment)


def isda_logits(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                ignore_index: int | None = None, grid: Grid | None = None, checked: bool = False) -> Tensor:
    """The logits whose cross-entropy is the ISDA loss: ``augment_logits`` with the table of weight and covariance.

    For samples (N, C) only the table's rows of their labels are made: most classes are in no batch.

    Args, errors: as ``isda_cross_entropy``.

    Returns:
        like logits, at least float32.
    """
    half = check_strength(strength) / 2
    labels = labels if checked else check_logits(logits, labels, ignore_index)
    check_classes(logits, weight)
    if logits.dim() == 2:
        counts = labelled(labels, ignore_index)
        rows = label_margin_variance(weight, covariance, torch.where(counts, labels, 0)) * counts[:, None]
        dtype = at_least_float32(logits, rows)
        return logits.to(dtype) + rows.to(dtype) * half
    table = margin_variance(weight, covariance)
    if grid is None:
        return _add(logits, labels, table, half, ignore_index)
    nothing = logits.new_zeros(len(logits), logits.shape[1], *grid.labels.shape[1:])
    return logits + grid.upsample(_add(nothing, grid.labels, table, half, ignore_index), tuple(logits.shape[2:]))


def _fuses(logits: Tensor, changed: bool, grid: Grid | None) -> bool:
    """Whether the fused pass is faster: for the gradient of images on a CPU or a GPU.

    Not where the logits are unchanged, so that the loss is plain cross-entropy to the last bit.
    """
    return (logits.dim() > 2 and (on_host(logits) or grid is None and compiles(logits)) and logits.requires_grad
            and torch.is_grad_enabled() and changed)


def cross_entropy(logits: Tensor, labels: Tensor, *, ignore_index: int | None, reduction: str = 'mean') -> Tensor:
    """``F.cross_entropy`` whose mean over nothing is 0 instead of NaN, and that may ignore nothing (None)."""
    index = -100 if ignore_index is None else ignore_index
    if reduction != 'mean':
        return F.cross_entropy(logits, labels.long(), ignore_index=index, reduction=reduction)
    total = F.cross_entropy(logits, labels.long(), ignore_index=index, reduction='sum')
    return total / number_labelled(labels, index)
