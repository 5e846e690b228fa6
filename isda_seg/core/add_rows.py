"""One row of a table added to the logits of each pixel, chosen by its label."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.one_hot import one_hot_chunks
from isda_seg.core.precision import full_precision


def add_rows(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None) -> Tensor:
    """logits (N, C, P) plus rows[label] (C,) at every pixel of labels (N, P) that is not ignored.

    Gradients flow into logits and rows (C, C), which have one dtype.
    """
    result: Tensor = _AddRows.apply(logits, labels, rows, ignore_index)  # type: ignore[no-untyped-call]
    return result


class _AddRows(torch.autograd.Function):
    """The gradient of a row sums over its pixels.

    Both directions are products with one-hot labels, a chunk at a time: no index that accumulates, no second tensor of
    the logits' size beside the result.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None) -> Tensor:
        ctx.save_for_backward(labels)
        ctx.ignore_index = ignore_index
        out = torch.empty_like(logits, memory_format=torch.contiguous_format)
        for n, pixels, _, member in one_hot_chunks(labels, rows, len(rows), ignore_index):
            torch.addmm(logits[n, :, pixels], rows.t(), member, out=out[n, :, pixels])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor | None, None]:
        if not ctx.needs_input_grad[2]:
            return grad, None, None, None
        labels, = ctx.saved_tensors
        grad_rows = grad.new_zeros(grad.shape[1], grad.shape[1])
        with full_precision(grad.device.type):
            for n, pixels, _, member in one_hot_chunks(labels, grad, len(grad_rows), ctx.ignore_index):
                grad_rows.addmm_(member, grad[n, :, pixels].t())
        return grad, None, grad_rows, None
