"""Cross-entropy of augmented logits and its gradient in a single fused pass (Eq. 7)."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.checks import class_index
from isda_seg.core.ops.compiled import loss_and_gradient
from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.label_sums import label_sums
from isda_seg.core.ops.one_hot import Chunk, one_hot_chunks
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import full_precision
from isda_seg.core.ops.upsampled import Grid, Upsampled, chosen_rows


@opaque
def fused_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float | Tensor,
                        grid: Grid | None = None, adjustment: Tensor | None = None) -> Tensor:
    """Return the cross-entropy of ``logits + rows[label]``, summed over labelled pixels and divided by ``divisor``.

    PyTorch's cross-entropy reads and writes tensors of the logits' size several times and saves one of them for the
    backward pass. The fused pass adds the rows and computes log-sum-exp and gradient together: chunk by chunk in the
    cache of a CPU, or in the registers of a GPU.

    Args:
        logits: (N, C, P), or (N, C, H, W) with a grid.
        labels: (N, P) or (N, H, W), int64.
        rows: (C, C), ``strength / 2 * table``, of the logits' dtype.
        ignore_index: pixels with this label have no loss and no gradient; None includes every pixel.
        divisor: the number of labelled pixels for a mean; a scalar tensor on a GPU.
        grid: CPU only; select rows by the labels on this grid and upsample them, instead of by pixel labels.
        adjustment: (C,), of the rows' dtype, added to the logits of every pixel; receives no gradient.
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
        # Saved tensors, labels too, raise an error in a later backward pass if they have been changed in place.
        ctx.save_for_backward(logits, labels, rows, None if grid is None else grid.labels, adjustment,
                              divisor if isinstance(divisor, Tensor) else None)
        ctx.others = ignore_index, divisor if not isinstance(divisor, Tensor) else None, grid and grid.align_corners
        total, *ctx.gradients = _loss_and_gradients(logits, labels, rows, ignore_index, divisor, grid, adjustment)
        return (total / divisor).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # second derivative: composed of PyTorch functions
            wanted = ctx.needs_input_grad[0], ctx.needs_input_grad[2]
            grad, grad_rows = _differentiable(wanted, *_saved(ctx))
            grad, grad_rows = (None if g is None else g * grad_output for g in (grad, grad_rows))
            return grad, None, grad_rows, None, None, None, None
        # The saved gradients are handed out once, because hooks may modify them. A second backward recomputes them.
        (grad, grad_rows), ctx.gradients = ctx.gradients or _loss_and_gradients(*_saved(ctx))[1:], None
        if not on_cpu(grad_output) or float(grad_output) != 1.0:
            grad.mul_(grad_output)
            grad_rows.mul_(grad_output)
        return grad, None, grad_rows, None, None, None, None


def _saved(ctx: Any) -> Any:
    """Return the arguments of ``forward``; RuntimeError if one has been changed in place since."""
    logits, labels, rows, grid_labels, adjustment, divisor = ctx.saved_tensors
    ignore_index, number, align_corners = ctx.others
    grid = None if grid_labels is None else Grid(grid_labels, align_corners)
    return logits, labels, rows, ignore_index, number if divisor is None else divisor, grid, adjustment


def _loss_and_gradients(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float | Tensor,
           grid: Grid | None, adjustment: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Return the summed loss, and its gradients with respect to logits and rows divided by ``divisor``."""
    if on_cpu(logits):
        return _loss_and_gradients_by_chunk(logits, labels, rows, ignore_index, float(divisor), grid, adjustment)
    index = class_index(labels, len(rows), ignore_index)
    total, grad = loss_and_gradient(logits.detach(), index, rows.detach())
    grad.div_(divisor)
    with full_precision(grad.device.type):
        return total, grad, label_sums(grad, index, len(rows))


def _loss_and_gradients_by_chunk(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float,
                  grid: Grid | None, adjustment: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Compute ``_loss_and_gradients`` on a CPU, chunk by chunk, with a float64 sum."""
    grad = torch.empty_like(logits, memory_format=torch.contiguous_format)
    grad_rows = torch.zeros_like(rows)
    total = torch.zeros((), dtype=torch.float64)
    width = 1 if grid is None or logits.dim() == 3 else logits.shape[-1]
    flat, flat_grad, flat_labels = logits.flatten(2), grad.flatten(2), labels.flatten(1)
    with full_precision(logits.device.type):
        upsampled = None if grid is None else Upsampled(grid, tuple(logits.shape[2:]), rows, ignore_index)
        for chunk in one_hot_chunks(flat_labels, flat, len(rows), ignore_index, multiple=width):
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
    """Replace logits z (C, p) by the gradient of their summed cross-entropy / ``divisor``, and return the sum."""
    z.sub_(z.amax(dim=0, keepdim=True))
    own = z.gather(0, chunk.label.clamp(max=len(z) - 1))
    z.exp_()
    summed = z.sum(dim=0, keepdim=True)
    counts = chunk.label < len(z)
    z.mul_(counts / (summed * divisor)).sub_(chunk.member, alpha=1 / divisor)
    return torch.where(counts, summed.log_().sub_(own), 0).sum(dtype=torch.float64)


def _differentiable(wanted: tuple[bool, bool], logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None,
                    divisor: float | Tensor, grid: Grid | None,
                    adjustment: Tensor | None) -> list[Tensor | None]:
    """Return the gradients with respect to logits and rows with their own autograd graph; None where not wanted."""
    on = labels if grid is None else grid.labels
    added = chosen_rows(rows, class_index(on, len(rows), ignore_index))
    adjusted = logits if adjustment is None else logits + adjustment.view(-1, *[1] * (logits.dim() - 2))
    augmented = adjusted + (
        added if grid is None else grid.upsample(added, tuple(logits.shape[2:])))
    total = F.cross_entropy(augmented, labels, ignore_index=-100 if ignore_index is None else ignore_index,
                            reduction='sum') / divisor
    found = iter(torch.autograd.grad(total, [x for x, want in zip((logits, rows), wanted, strict=True) if want],
                                     create_graph=True))
    return [next(found) if want else None for want in wanted]
