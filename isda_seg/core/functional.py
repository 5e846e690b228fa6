"""The ISDA loss: cross-entropy after one row of the margin table is added to each sample's logits (Eq. 7)."""
import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.averaging import Averaging
from isda_seg.core.kernels import kernels_of
from isda_seg.core.margin import label_margin_variance, margin_variance
from isda_seg.core.ops.add_rows import add_rows
from isda_seg.core.ops.checks import check_classes, check_logits
from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.fused import fused_cross_entropy
from isda_seg.core.ops.labels import is_soft, labelled, number_labelled
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.prior import adjust_logits
from isda_seg.core.schedule import check_strength
from isda_seg.core.soft_targets import soft_cross_entropy


def augment_logits(logits: Tensor, labels: Tensor, table: Tensor, strength: float, *,
                   ignore_index: int | None = None) -> Tensor:
    """Return ``logits + strength / 2 * table[label]``, the logits whose cross-entropy is Eq. 7.

    The logit of the true class never changes, because the diagonal of the table is 0.

    Args:
        logits: (N, C) or (N, C, ...), as for ``F.cross_entropy``.
        labels: (N,) or (N, ...) integers.
        table: (C, C) from ``margin_variance``; gradients flow into it.
        strength: lambda.
        ignore_index: logits of samples with this label do not change.

    Returns:
        a tensor of the shape of the logits, at least float32.

    Raises:
        ValueError: shapes that do not fit, a bad strength, a label outside the classes (on a CPU).
    """
    labels, half = check_logits(logits, labels, ignore_index), check_strength(strength) / 2
    classes = logits.shape[1]
    if table.shape != (classes, classes):
        raise ValueError(f'table must have shape ({classes}, {classes}), got {tuple(table.shape)}')
    return _add(logits, labels, table, half, ignore_index)


def _add(logits: Tensor, labels: Tensor, table: Tensor, half: float, ignore_index: int | None) -> Tensor:
    """Compute ``augment_logits`` for arguments that have been checked."""
    table = table.to(at_least_float32(logits, table))
    logits = logits.to(table.dtype)
    with full_precision(logits.device.type):
        if logits.dim() == 2:  # treat samples as the pixels of one image
            return add_rows(logits.t()[None], labels[None], table, half, ignore_index)[0].t()
        return add_rows(logits.flatten(2), labels.flatten(1), table, half, ignore_index).view(logits.shape)


def isda_cross_entropy(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                       ignore_index: int | None = -100, reduction: str = 'mean',
                       adjustment: Tensor | None = None) -> Tensor:
    """Return the ISDA loss, an upper bound of the expected cross-entropy over augmented features (Eq. 7, Prop. 1).

    Logits of images that need gradients take a single fused pass (``fused_cross_entropy``) with the same result.

    Args:
        logits: (N, C) or (N, C, ...).
        labels: (N,) or (N, ...); or class probabilities of the shape of the logits (``soft_cross_entropy``), for which
            ignore_index has no meaning.
        weight: (C, A) of the classifier that made the logits.
        covariance: (C, A) or (C, A, A), or leading dimension 1.
        strength: lambda. The authors' final value is 7.5 for diagonal covariances, and 0.5 for full ones on CIFAR.
        ignore_index: samples with this label have no loss and no gradient; None includes every sample.
        reduction: 'mean' over labelled samples, 'sum' or 'none'. Without a labelled sample, 0 with zero gradients.
        adjustment: (C,) ``tau * log_prior(count)``, added to the logits of every sample (logit adjustment); receives no
            gradient.

    Returns:
        a scalar; (N, ...) for 'none'.

    Raises:
        ValueError: shapes that do not fit, a bad strength, a label outside the classes (on a CPU).
    """
    strength = check_strength(strength)
    if is_soft(logits, labels):
        return soft_cross_entropy(logits, labels, weight, covariance, strength, adjustment=adjustment,
                                  reduction=reduction)
    labels = check_logits(logits, labels, ignore_index)
    return closed_form_loss(logits, labels, weight, covariance, strength, ignore_index=ignore_index,
                            reduction=reduction, adjustment=adjustment)


def closed_form_loss(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                     ignore_index: int | None, reduction: str = 'mean', averaging: Averaging | None = None,
                     grid: Grid | None = None, adjustment: Tensor | None = None) -> Tensor:
    """Compute ``isda_cross_entropy`` for int64 labels that have been checked.

    ``averaging`` replaces the mean over labelled samples. With a ``grid``, logits (N, C, H, W) get the rows of the
    labels on this grid, upsampled.
    """
    # Logits that ISDA does not change take PyTorch's cross-entropy, so that the result is bitwise equal to it.
    changed, differentiable = strength > 0 or adjustment is not None, logits.requires_grad and torch.is_grad_enabled()
    if changed and differentiable and reduction in ('mean', 'sum') and grid is None and logits.dim() > 2:
        fused = _fused_loss(logits, labels, weight, covariance, strength, ignore_index,
                            averaging or Averaging(None if reduction == 'mean' else 1), adjustment)
        if fused is not None:
            return fused
    augmented = closed_form_logits(adjust_logits(logits, adjustment), labels, weight, covariance, strength,
                                   ignore_index=ignore_index, grid=grid)
    if averaging is None:
        return cross_entropy(augmented, labels, ignore_index=ignore_index, reduction=reduction)
    return cross_entropy(augmented, labels, ignore_index=ignore_index,
                         reduction='sum') / averaging.divisor(labels, ignore_index)


def _fused_loss(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float,
                ignore_index: int | None, averaging: Averaging, adjustment: Tensor | None) -> Tensor | None:
    """Compute the loss of maps in a fused pass, which adds one row to each pixel; None without one on this device."""
    kernels = None if on_cpu(logits) else kernels_of(logits, weight, covariance)
    if kernels is None and not on_cpu(logits):
        return None
    check_classes(logits, weight)
    table = margin_variance(weight, covariance) if strength else weight.new_zeros(len(weight), len(weight))
    table = table.to(at_least_float32(logits, table))
    rows = strength / 2 * table
    rows = rows if adjustment is None else rows + adjustment.to(table.dtype)
    if kernels is not None:
        result: Tensor = kernels.map_cross_entropy(logits.flatten(2), labels.flatten(1), rows,
                                                   kernels.setting_of(logits, ignore_index, averaging))
        return result
    return fused_cross_entropy(logits.to(table.dtype).flatten(2), labels.flatten(1), rows, ignore_index,
                               float(averaging.divisor(labels, ignore_index)))


def closed_form_logits(logits: Tensor, labels: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                       ignore_index: int | None = None, grid: Grid | None = None) -> Tensor:
    """Return the logits whose cross-entropy is the closed-form ISDA loss: ``augment_logits`` from the covariance.

    For fewer samples than classes, only the table rows of their labels are computed. Arguments are those of
    ``closed_form_loss``; the result is at least float32.
    """
    half = check_strength(strength) / 2
    check_classes(logits, weight)
    if not half:
        return logits.to(at_least_float32(logits, weight, covariance))
    if logits.dim() == 2:
        valid = labelled(labels, ignore_index)
        rows = label_margin_variance(weight, covariance, torch.where(valid, labels, 0)) * valid[:, None]
        dtype = at_least_float32(logits, rows)
        return logits.to(dtype) + rows.to(dtype) * half
    table = margin_variance(weight, covariance)
    if grid is None:
        return _add(logits, labels, table, half, ignore_index)
    nothing = logits.new_zeros(len(logits), logits.shape[1], *grid.labels.shape[1:])
    return logits + grid.upsample(_add(nothing, grid.labels, table, half, ignore_index), tuple(logits.shape[2:]))


def cross_entropy(logits: Tensor, labels: Tensor, *, ignore_index: int | None, reduction: str = 'mean') -> Tensor:
    """Return ``F.cross_entropy``, with mean 0 instead of NaN without labelled samples; None ignores no label."""
    if is_soft(logits, labels):
        return F.cross_entropy(logits, labels, reduction=reduction)
    index = -100 if ignore_index is None else ignore_index
    loss = F.cross_entropy(logits, labels.long(), ignore_index=index, reduction=reduction.replace('mean', 'sum'))
    return loss / number_labelled(labels, index) if reduction == 'mean' else loss
