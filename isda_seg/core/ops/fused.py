"""Cross-entropy of augmented logits in one visit to each pixel, gradient included (Eq. 7)."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.checks import class_index
from isda_seg.core.ops.compiled import visit
from isda_seg.core.ops.device import on_host
from isda_seg.core.ops.label_sums import label_sums
from isda_seg.core.ops.one_hot import Chunk, one_hot_chunks
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import full_precision
from isda_seg.core.ops.upsampled import Grid, Upsampled, chosen_rows


@opaque
def fused_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float | Tensor,
                        grid: Grid | None = None, adjustment: Tensor | None = None) -> Tensor:
    """The sum over labelled pixels of the cross-entropy of ``logits + rows[label]``, divided by ``divisor``.

    PyTorch's own cross-entropy visits tensors of the logits' size several times and keeps a second one until the
    backward pass. Here each pixel is visited once: the rows are added, and log-sum-exp and the gradient taken, while it
    is in a host's cache, a chunk at a time, or in a GPU's registers.

    Args:
        logits: (N, C, P), or (N, C, H, W) with a grid.
        labels: (N, P) or (N, H, W), int64.
        rows: (C, C), ``strength / 2 * table``, of the logits' dtype.
        ignore_index: pixels with this label give no loss and no gradient; None: every pixel counts.
        divisor: for a mean over labelled pixels their number; on a GPU a tensor () where it is not known.
        grid: on a host, rows are chosen by labels on it and upsampled, instead of by each pixel's own label.
        adjustment: (C,), of the rows' dtype, added to the logits of every pixel; no gradient flows into it.
    """
    if adjustment is not None and grid is None:
        rows, adjustment = rows + adjustment, None  # each pixel gets exactly one row
    result: Tensor = _FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits, labels, rows, ignore_index, divisor, grid, adjustment)
    return result


class _FusedCrossEntropy(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None,
                divisor: float | Tensor, grid: Grid | None, adjustment: Tensor | None) -> Tensor:
        ctx.save_for_backward(logits, rows)
        ctx.others = labels, ignore_index, divisor, grid, adjustment
        total, *ctx.gradients = _visit(logits, labels, rows, ignore_index, divisor, grid, adjustment)
        return (total / divisor).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        labels, ignore_index, divisor, grid, adjustment = ctx.others
        if torch.is_grad_enabled():  # a second derivative: by way of PyTorch's own functions
            logits, rows = ctx.saved_tensors
            wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
            grad, grad_rows = _differentiable(logits, labels, rows, ignore_index, divisor, grid, adjustment, wanted)
            grad, grad_rows = (None if g is None else g * grad_output for g in (grad, grad_rows))
            return grad, None, grad_rows, None, None, None, None
        # Given away once, so that whoever gets them may change them; a second pass over the graph visits again.
        (grad, grad_rows), ctx.gradients = ctx.gradients or _visit(
            ctx.saved_tensors[0], labels, ctx.saved_tensors[1], *ctx.others[1:])[1:], None
        if not on_host(grad_output) or float(grad_output) != 1.0:
            grad.mul_(grad_output)
            grad_rows.mul_(grad_output)
        return grad, None, grad_rows, None, None, None, None


def _visit(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float | Tensor,
           grid: Grid | None, adjustment: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """The summed loss, and ``1 / divisor`` times its gradients in logits and rows."""
    if on_host(logits):
        return _visit_chunks(logits, labels, rows, ignore_index, float(divisor), grid, adjustment)
    index = class_index(labels, len(rows), ignore_index)
    total, grad = visit(logits.detach(), index, rows.detach())
    grad.div_(divisor)
    with full_precision(grad.device.type):
        return total, grad, label_sums(grad, index, len(rows))


def _visit_chunks(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float,
                  grid: Grid | None, adjustment: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """``_visit`` on a host, where the sum is float64."""
    grad = torch.empty_like(logits, memory_format=torch.contiguous_format)
    grad_rows = torch.zeros_like(rows)
    total = torch.zeros((), dtype=torch.float64)
    width = 1 if grid is None else logits.shape[3]
    flat, flat_grad, flat_labels = logits.flatten(2), grad.flatten(2), labels.flatten(1)
    with full_precision(logits.device.type):
        upsampled = None if grid is None else Upsampled(grid, tuple(logits.shape[2:]), rows, ignore_index)
        for chunk in one_hot_chunks(flat_labels, flat, len(rows), ignore_index, together=width):
            part = (chunk.image, slice(None), chunk.pixels)
            own = flat_grad[part]
            if upsampled is None:
                torch.addmm(flat[part], rows.t(), chunk.member, out=own)
            else:
                upsampled.add(chunk, flat[part], own)
                if adjustment is not None:
                    own.add_(adjustment[:, None])
            total += _softmax_minus_one_hot(own, chunk, divisor)
            if upsampled is None:
                grad_rows.addmm_(chunk.member, own.t())
            else:
                upsampled.collect(chunk, own)
        if upsampled is not None:
            grad_rows = upsampled.grad_rows()
    return total, grad, grad_rows


def _softmax_minus_one_hot(z: Tensor, chunk: Chunk, divisor: float) -> Tensor:
    """Turn logits z (C, p) into the gradient of their summed cross-entropy over ``divisor``, and return that sum."""
    z.sub_(z.amax(dim=0, keepdim=True))
    own = z.gather(0, chunk.label.clamp(max=len(z) - 1))
    z.exp_()
    summed = z.sum(dim=0, keepdim=True)
    counts = chunk.label < len(z)
    z.mul_(counts / (summed * divisor)).sub_(chunk.member, alpha=1 / divisor)
    return torch.where(counts, summed.log_().sub_(own), 0).sum(dtype=torch.float64)


def _differentiable(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float | Tensor,
                    grid: Grid | None, adjustment: Tensor | None,
                    wanted: tuple[bool, bool]) -> list[Tensor | None]:
    """The two gradients with a graph of their own; None where there is none to be had."""
    on = labels if grid is None else grid.labels
    added = chosen_rows(rows, class_index(on, len(rows), ignore_index))
    adjusted = logits if adjustment is None else logits + adjustment[:, None, None]  # of (N, C, H, W)
    augmented = adjusted + (
        added if grid is None else grid.upsample(added, tuple(logits.shape[2:])))
    total = F.cross_entropy(augmented, labels, ignore_index=-100 if ignore_index is None else ignore_index,
                            reduction='sum') / divisor
    found = iter(torch.autograd.grad(total, [x for x, want in zip((logits, rows), wanted, strict=True) if want],
                                     create_graph=True))
    return [next(found) if want else None for want in wanted]
