"""Add one row of a table to the logits of each pixel, selected by its label; on a CPU in chunks of one-hot labels."""
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isda_seg.core.ops.device import constant, on_cpu
from isda_seg.core.ops.labels import class_index, labelled
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import full_precision

CHUNK = 1 << 20  # elements of a chunk: fits a cache, and is large enough for several threads


class Chunk(NamedTuple):
    """A chunk of pixels of one image with their labels."""
    image: int
    pixels: slice
    label: Tensor   # (1, p), C at ignored pixels
    member: Tensor  # (C, p) one-hot labels, all 0 at ignored pixels; overwritten by the next chunk


def one_hot_chunks(labels: Tensor, like: Tensor, num_classes: int, ignore_index: int | None) -> Iterator[Chunk]:
    """Iterate over labels (N, P) in chunks of pixels, with one-hot labels like ``like``.

    All chunks share one buffer: setting and clearing p ones is cheaper than allocating C x p zeros.
    """
    size = max(256, CHUNK // num_classes)
    buffer = like.new_zeros(num_classes + 1, min(size, labels.shape[1]))  # the last row takes ignored pixels
    for image in range(len(labels)):
        for start in range(0, labels.shape[1], size):
            pixels = slice(start, min(start + size, labels.shape[1]))
            label = labels[image, pixels]
            index = torch.where(labelled(label, ignore_index), label, num_classes)[None]
            one_hot = buffer[:, :label.numel()].scatter_(0, index, 1.0)
            kept = one_hot.clone() if torch.is_grad_enabled() else one_hot  # for a second derivative
            yield Chunk(image, pixels, index, kept[:num_classes])
            one_hot.scatter_(0, index, 0.0)


@opaque
def add_rows(logits: Tensor, labels: Tensor, rows: Tensor, half: float, ignore_index: int | None) -> Tensor:
    """Add ``half * rows[label]`` (C,) to logits (N, C, P) at every pixel of labels (N, P) that is not ignored.

    Gradients flow into logits and rows (C, C). Both must have the same dtype.
    """
    result: Tensor = _AddRows.apply(logits, labels, rows, half, ignore_index)  # type: ignore[no-untyped-call]
    return result


class _AddRows(torch.autograd.Function):
    """Row addition with a deterministic backward pass: row gradients are products with one-hot labels.

    On a CPU the forward pass is such a product too, one chunk at a time. An accelerator gathers all rows at once.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, half: float,
                ignore_index: int | None) -> Tensor:
        ctx.half, ctx.ignore_index = half, ignore_index
        if not on_cpu(logits):
            index = class_index(labels, len(rows), ignore_index)
            ctx.save_for_backward(index)
            padded = torch.cat([rows.t(), constant(0, (len(rows), 2), rows.dtype, rows.device)], dim=1)
            added = padded.expand(len(logits), -1, -1).gather(2, index[:, None].expand_as(logits))
            return torch.add(logits, added, alpha=half)
        ctx.save_for_backward(labels)
        out = torch.empty_like(logits, memory_format=torch.contiguous_format)
        for n, pixels, _, member in one_hot_chunks(labels, rows, len(rows), ignore_index):
            torch.addmm(logits[n, :, pixels], rows.t(), member, alpha=half, out=out[n, :, pixels])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor | None, None, None]:
        if not ctx.needs_input_grad[2]:
            return grad, None, None, None, None
        labels, = ctx.saved_tensors
        classes = grad.shape[1]
        with full_precision(grad.device.type):
            if not on_cpu(grad):
                member = grad.new_zeros(len(grad), classes + 2, grad.shape[2]).scatter_(1, labels[:, None], ctx.half)
                return grad, None, (member[:, :classes] @ grad.mT).sum(dim=0), None, None
            grad_rows = grad.new_zeros(classes, classes)
            for n, pixels, _, member in one_hot_chunks(labels, grad, classes, ctx.ignore_index):
                grad_rows.addmm_(member, grad[n, :, pixels].t(), alpha=ctx.half)
        return grad, None, grad_rows, None, None
