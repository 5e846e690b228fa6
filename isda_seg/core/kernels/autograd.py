"""The loss by kernels: moments of a batch, table rows, cross-entropy, and their gradients."""
from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.kernels import operators
from isda_seg.core.margin import margin_variance
from isda_seg.core.moments import ClassMoments
from isda_seg.core.ops.fused import differentiable_gradients

Parts = tuple[Tensor, ...]  # of operators.split_moments


class Watch:
    """What the kernels of one stream note on the device: labels outside the classes, logits of another pass."""

    def __init__(self, device: torch.device) -> None:
        self.extremes = torch.full((2,), 2 ** 31 - 1, dtype=torch.int32, device=device)
        self.extremes[1:].fill_(-2 ** 31)  # a tensor made of a list would wait for the device
        self.worst, self.arrived = torch.zeros((), device=device), torch.zeros((), dtype=torch.int32, device=device)


class _MergedTable(torch.autograd.Function):
    """Merge the moments of a batch into the running ones; rows ``strength / 2 * table + tau * log prior`` (Eq. 7)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, parts: Parts, running: ClassMoments,
                strength: float, tau: float) -> tuple[Tensor, ...]:
        count, mean, covariance, copy, rows = operators.merge(*parts, *running, weight, strength / 2, tau)
        ctx.save_for_backward(weight, copy)
        ctx.strength = strength
        ctx.mark_non_differentiable(count, mean, covariance)
        ctx.set_materialize_grads(False)  # no zeros for the moments
        return rows, count, mean, covariance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        weight, covariance = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            rows = ctx.strength / 2 * margin_variance(weight, covariance)
            return *torch.autograd.grad(rows, weight, grad, create_graph=True), None, None, None, None
        return operators.weight_gradient(grad.contiguous(), weight, covariance, ctx.strength), None, None, None, None


class _SampleRows(torch.autograd.Function):
    """Table rows of the labels of samples, and the weight's gradient from the variances of the forward pass."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, index: Tensor, count: Tensor, covariance: Tensor, strength: float) -> Tensor:
        rows: Tensor
        rows, sigma = operators.sample_rows(index, count, covariance, weight, strength / 2)
        ctx.save_for_backward(weight, index, sigma)
        ctx.strength = strength
        return rows

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, index, sigma = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            counts = index < len(weight)
            difference = weight[None] - weight[torch.where(counts, index, 0)][:, None]
            rows = ctx.strength / 2 * counts[:, None] * (sigma[:, None] * difference.square()).sum(dim=-1)
            return *torch.autograd.grad(rows, weight, grad, create_graph=True), *[None] * 4
        grad = grad.contiguous()
        own = operators.own_gradient(grad, index, sigma, weight)
        return operators.samples_weight_gradient(grad, own, index, sigma, weight, ctx.strength), *[None] * 4


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy of ``logits + rows[label]``, ``factor / number`` times the sum over labelled pixels.

    ``number`` is None for the number of labelled pixels. The backward pass computes the softmax again, so that nothing
    of the logits' size is kept, and applies the scale of mixed precision in float32.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, checks: Tensor, watch: Watch,
                ignore_index: int, number: int | None, factor: float, allowed: float, weight_size: int,
                by_sample: bool) -> Tensor:
        total: Tensor
        total, scale = operators.loss(logits, labels, rows, checks, watch.extremes, watch.worst, watch.arrived,
                                      ignore_index, number, factor, allowed, weight_size, by_sample)
        ctx.save_for_backward(logits, labels, rows, scale)
        ctx.ignore_index, ctx.by_sample = ignore_index, by_sample
        return total

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels, rows, scale = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
            classes = (labels >= 0) & (labels < logits.shape[1]) & (labels != ctx.ignore_index)
            grads = differentiable_gradients(wanted, logits, torch.where(classes, labels.long(), -100), rows, -100, 1.0,
                                             ctx.by_sample)
            grad, grad_rows = (None if g is None else g * (grad_output * scale) for g in grads)
        else:
            grad, sums, present = operators.gradient(logits, labels, rows, grad_output.contiguous(), scale,
                                                     ctx.ignore_index, ctx.by_sample)
            grad_rows = sums if ctx.by_sample else operators.sum_programs(sums, present)
        return grad, None, grad_rows, *[None] * 8


def merged_table(weight: Tensor, parts: Parts, running: ClassMoments, strength: float,
                 tau: float) -> tuple[Tensor, ClassMoments]:
    """Return rows ``strength / 2 * table + tau * log prior`` (C, C), and the running moments with those of a batch."""
    rows, *moments = _MergedTable.apply(weight, parts, running, strength, tau)  # type: ignore[no-untyped-call]
    return rows, ClassMoments(*moments)


def sample_rows(weight: Tensor, index: Tensor, count: Tensor, covariance: Tensor, strength: float) -> Tensor:
    """Return ``strength / 2 * table[label]`` (N, C) for class indices (N,), and add the samples to ``count``."""
    rows: Tensor = _SampleRows.apply(weight, index, count, covariance, strength)  # type: ignore[no-untyped-call]
    return rows


def map_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, number: int | None,
                      factor: float, watch: Watch | None = None, checks: Tensor | None = None, allowed: float = 1.0,
                      weight_size: int = 1) -> Tensor:
    """Return the cross-entropy of ``logits + rows[label]``: ``factor / number`` times the sum over labelled pixels.

    Args:
        logits: (N, C, P), float32 or half precision.
        labels: (N, P) integers.
        rows: (C, C) float32.
        ignore_index: pixels with this label, or one outside the classes, have no loss and no gradient.
        number: None for the number of labelled pixels.
        factor: of the loss.
        watch: notes labels outside the classes, and the comparison in ``checks`` with the tolerance ``allowed``.
        checks: from ``operators.grid``.
        allowed: tolerance of the comparison.
        weight_size: number of elements of the classifier's weight.
    """
    watch = watch or Watch(logits.device)
    checks = rows.new_empty(0, 4) if checks is None else checks
    labels = labels if labels.stride(1) == 1 else labels.contiguous()
    ignore_index = -1 if ignore_index is None else ignore_index
    result: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits, labels, rows.contiguous(), checks, watch, ignore_index, number, factor, allowed, weight_size, False)
    return result


def sample_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int, number: int | None,
                         factor: float, watch: Watch, checks: Tensor, allowed: float, weight_size: int) -> Tensor:
    """Compute ``map_cross_entropy`` of samples: logits (N, C) and labels (N,), with a row (N, C) for each sample."""
    result: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits.t()[None], labels.contiguous()[None], rows, checks, watch, ignore_index, number, factor, allowed,
        weight_size, True)
    return result


def moments_of(parts: Parts) -> ClassMoments:
    """Return the moments of a batch from those of its splits, for the exchange between ranks."""
    counts, origins, means, squares = parts[0][:, 0], *parts[1:]
    seen = (counts > 0)[:, :, None]
    count = counts.sum(dim=0)
    share = (counts / count.clamp(min=1))[:, :, None]
    origin = torch.where(seen, origins, -torch.inf).amax(dim=0).nan_to_num(neginf=0.0)
    centred = torch.where(seen, origins - origin + means, 0)
    shift = (share * centred).sum(dim=0)
    squares = torch.where(seen, squares, 0).sum(dim=0) / count.clamp(min=1)[:, None]
    covariance = squares + (share * (centred - shift).square()).sum(dim=0)
    return ClassMoments(count.long(), origin + shift, covariance)


def parts_of(moments: ClassMoments) -> Parts:
    """Return moments as those of a single split."""
    count = moments.count.int()[None, None]
    squares = moments.covariance * moments.count[:, None]
    return count, moments.mean[None], torch.zeros_like(squares)[None], squares[None]


def compare_small(device: torch.device, dtype: torch.dtype, channels_last: bool) -> None:
    """Compare loss and gradients of a small map with those of PyTorch.

    Raises:
        ArithmeticError: they differ.
    """
    values = torch.linspace(-4, 4, 2 * 3 * 300, device=device).view(2, 3, 300).sin().to(dtype)
    logits = (values.mT.contiguous().mT if channels_last else values).requires_grad_()
    labels = (torch.arange(600, device=device) // 50 % 4).view(2, 300)  # 3 is outside the classes
    rows = torch.linspace(0, 1, 9, device=device).view(3, 3).requires_grad_()
    masked = torch.where(labels < 3, labels, -100)
    augmented = logits.float() + rows[labels.clamp(max=2)].movedim(-1, 1)
    inputs = logits, rows
    for number in (1, None):
        loss = map_cross_entropy(logits, labels, rows, -100, number, 1.0)
        expected = F.cross_entropy(augmented, masked, reduction='mean' if number is None else 'sum')
        require_close([loss, *torch.autograd.grad(loss, inputs)],
                      [expected, *torch.autograd.grad(expected, inputs, retain_graph=True)], dtype)


def require_close(found: Iterable[Tensor], expected: Iterable[Tensor], dtype: torch.dtype) -> None:
    """Raise ArithmeticError if a result differs from that of PyTorch by more than the rounding of ``dtype``."""
    for a, b in zip(found, expected, strict=True):
        error, scale = (a.double() - b.double()).abs().max(), b.double().abs().max()
        if bool(scale.isfinite()) and not error <= (1e-3 if dtype == torch.float32 else 2e-2) * scale:
            raise ArithmeticError(f'a result differs from that of PyTorch by {float(error):.3g}')
