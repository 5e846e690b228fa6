"""The ISDA loss: one table row added to each sample's logits, then cross-entropy (Eq. 7)."""
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.checks import at_least_float32, check_labels, labelled
from isda_seg.core.margin import margin_variance
from isda_seg.core.precision import full_precision
from isda_seg.core.schedule import check_strength

CPU_CHUNK = 1 << 14  # pixels: a chunk of one-hot labels stays in cache
GPU_CHUNK = 1 << 22


class _AddRows(torch.autograd.Function):
    """logits (N, C, P) + rows[label] (C,) at every pixel; the gradient of a row sums over its pixels.

    Both directions are products with one-hot labels, made a chunk at a time in the logits' own layout: no index that
    accumulates, no second tensor of the logits' size beside the result.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None) -> Tensor:
        ctx.save_for_backward(labels)
        ctx.ignore_index = ignore_index
        out = torch.empty_like(logits, memory_format=torch.contiguous_format)
        for n, pixels, one_hot in _one_hot_chunks(labels, rows, ignore_index):
            torch.addmm(logits[n, :, pixels], rows.t(), one_hot, out=out[n, :, pixels])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor | None, None]:
        if not ctx.needs_input_grad[2]:
            return grad, None, None, None
        labels, = ctx.saved_tensors
        grad_rows = grad.new_zeros(grad.shape[1], grad.shape[1])
        with full_precision(grad.device.type):
            for n, pixels, one_hot in _one_hot_chunks(labels, grad, ctx.ignore_index):
                grad_rows.addmm_(one_hot, grad[n, :, pixels].t())
        return grad, None, grad_rows, None


def _add_rows(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None) -> Tensor:
    result: Tensor = _AddRows.apply(logits, labels, rows, ignore_index)  # type: ignore[no-untyped-call]
    return result


def _one_hot_chunks(labels: Tensor, like: Tensor,
                    ignore_index: int | None) -> Iterator[tuple[int, slice, Tensor]]:
    """Yield (image, slice of pixels, one-hot labels (C, p)) over labels (N, P); ignored pixels have no one."""
    classes = torch.arange(like.shape[1], device=labels.device)[:, None]
    size = CPU_CHUNK if labels.device.type == 'cpu' else GPU_CHUNK
    for n in range(labels.shape[0]):
        for start in range(0, labels.shape[1], size):
            chunk = labels[n, start:start + size]
            member = (chunk == classes) & labelled(chunk, ignore_index)
            yield n, slice(start, start + size), member.to(like.dtype)


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
    if logits.dim() < 2 or logits.shape[:1] + logits.shape[2:] != labels.shape:
        raise ValueError(f'logits (N, C, ...) and labels (N, ...) must agree, got {tuple(logits.shape)} '
                         f'and {tuple(labels.shape)}')
    classes = logits.shape[1]
    if table.shape != (classes, classes):
        raise ValueError(f'table must have shape ({classes}, {classes}), got {tuple(table.shape)}')
    labels = check_labels(labels, classes, ignore_index)
    dtype = at_least_float32(logits, table)
    with full_precision(logits.device.type):
        rows = table.to(dtype) * (check_strength(strength) / 2)
        if logits.dim() == 2:  # samples are the pixels of one image
            return _add_rows(logits.to(dtype).t()[None], labels[None], rows, ignore_index)[0].t()
        flat = _add_rows(logits.to(dtype).flatten(2), labels.flatten(1), rows, ignore_index)
        return flat.view(logits.shape)


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
    augmented = augment_logits(logits, labels, margin_variance(weight, covariance), strength,
                               ignore_index=ignore_index)
    return cross_entropy(augmented, labels, ignore_index=ignore_index, reduction=reduction)


def cross_entropy(logits: Tensor, labels: Tensor, *, ignore_index: int | None, reduction: str = 'mean') -> Tensor:
    """``F.cross_entropy`` whose mean over nothing is 0 instead of NaN, and that may ignore nothing (None)."""
    ignore_index = -100 if ignore_index is None else ignore_index
    if reduction != 'mean':
        return F.cross_entropy(logits, labels.long(), ignore_index=ignore_index, reduction=reduction)
    total = F.cross_entropy(logits, labels.long(), ignore_index=ignore_index, reduction='sum')
    return total / labelled(labels, ignore_index).sum().clamp(min=1)
