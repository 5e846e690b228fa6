"""Cross-entropy of augmented logits in one visit to each chunk of pixels, gradient included (Eq. 7, on a CPU)."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.add_rows import add_rows
from isda_seg.core.one_hot import Chunk, one_hot_chunks
from isda_seg.core.precision import full_precision


def fused_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float,
                        shares: Tensor | None = None) -> Tensor:
    """The sum over labelled pixels of the cross-entropy of ``logits + rows[label]``, divided by ``divisor``.

    PyTorch's own cross-entropy visits tensors of the logits' size several times and keeps a second one until the
    backward pass. Here each chunk is visited once: the rows are added, and log-sum-exp and the gradient taken, while it
    is in cache.

    Args:
        logits: (N, C, P).
        labels: (N, P) int64.
        rows: (C, C), ``strength / 2 * table``, of the logits' dtype.
        ignore_index: pixels with this label give no loss and no gradient; None: every pixel counts.
        divisor: for a mean over labelled pixels their number.
        shares: (N, C, P), how much of each class's row is added to a pixel where it is not simply its label's.
    """
    result: Tensor = _FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits, labels, rows, ignore_index, divisor, shares)
    return result


class _FusedCrossEntropy(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float,
                shares: Tensor | None) -> Tensor:
        grad = torch.empty_like(logits, memory_format=torch.contiguous_format)
        grad_rows = torch.zeros_like(rows)
        total = torch.zeros((), dtype=torch.float64)
        with full_precision(logits.device.type):
            for chunk in one_hot_chunks(labels, logits, logits.shape[1], ignore_index):
                part = (chunk.image, slice(None), chunk.pixels)
                share = chunk.member if shares is None else shares[part]
                total += _visit(logits[part], chunk, rows, share, divisor, grad[part], grad_rows)
        ctx.save_for_backward(logits, labels, rows, shares, grad, grad_rows)
        ctx.ignore_index, ctx.divisor = ignore_index, divisor
        return (total / divisor).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels, rows, shares, grad, grad_rows = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative: by way of PyTorch's own functions
            grad, grad_rows = _differentiable(logits, labels, rows, ctx.ignore_index, ctx.divisor, shares)
        if float(grad_output) != 1.0 or torch.is_grad_enabled():  # on a CPU, asking costs nothing
            grad, grad_rows = grad * grad_output, grad_rows * grad_output
        return grad, None, grad_rows, None, None, None


def _visit(logits: Tensor, chunk: Chunk, rows: Tensor, share: Tensor, divisor: float, grad: Tensor,
           grad_rows: Tensor) -> Tensor:
    """The summed loss of logits (C, p), whose gradient is written into ``grad`` (C, p) and added to ``grad_rows``."""
    classes = len(logits)
    torch.addmm(logits, rows.t(), share, out=grad)
    grad.sub_(grad.amax(dim=0, keepdim=True))
    own = grad.gather(0, chunk.label.clamp(max=classes - 1))
    grad.exp_()
    summed = grad.sum(dim=0, keepdim=True)
    counts = chunk.label < classes
    grad.mul_(counts / (summed * divisor)).sub_(chunk.member, alpha=1 / divisor)  # softmax minus one-hot
    grad_rows.addmm_(share, grad.t())
    return torch.where(counts, summed.log_().sub_(own), 0).sum(dtype=torch.float64)


def _differentiable(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None, divisor: float,
                    shares: Tensor | None) -> tuple[Tensor, Tensor]:
    """The two gradients with a graph of their own."""
    augmented = add_rows(logits, labels, rows, ignore_index) if shares is None else logits + rows.t() @ shares
    total = F.cross_entropy(augmented, labels, ignore_index=-100 if ignore_index is None else ignore_index,
                            reduction='sum') / divisor
    grad, grad_rows = torch.autograd.grad(total, (logits, rows), create_graph=True)
    return grad, grad_rows
