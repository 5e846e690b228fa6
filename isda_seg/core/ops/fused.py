"""Cross-entropy of augmented logits and its gradient in a single fused pass on a CPU (Eq. 7)."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.ops.add_rows import Chunk, one_hot_chunks
from isda_seg.core.ops.labels import class_index
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import full_precision


@opaque
def fused_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None,
                        divisor: float) -> Tensor:
    """Return the cross-entropy of ``logits + rows[label]``, summed over labelled pixels and divided by ``divisor``.

    The logits are (N, C, P), labels (N, P), rows (C, C). PyTorch's cross-entropy reads and writes tensors of the
    logits' size several times. The fused pass computes log-sum-exp and gradient together, chunk by chunk in the cache.
    """
    result: Tensor = _FusedCrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits, labels, rows, ignore_index, divisor)
    return result


class _FusedCrossEntropy(torch.autograd.Function):

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None,
                divisor: float) -> Tensor:
        # Saved tensors, labels too, raise an error in a later backward pass if they have been changed in place.
        ctx.save_for_backward(logits, labels, rows)
        ctx.others = ignore_index, divisor
        total, *ctx.gradients = _loss_and_gradients(logits, labels, rows, ignore_index, divisor)
        return (total / divisor).to(logits.dtype)

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        arguments = *ctx.saved_tensors, *ctx.others
        if torch.is_grad_enabled():  # second derivative: composed of PyTorch functions
            grad, grad_rows = _differentiable_gradients((ctx.needs_input_grad[0], ctx.needs_input_grad[2]), *arguments)
            grad, grad_rows = (None if g is None else g * grad_output for g in (grad, grad_rows))
            return grad, None, grad_rows, None, None
        # The saved gradients are handed out once, because hooks may modify them. A second backward recomputes them.
        (grad, grad_rows), ctx.gradients = ctx.gradients or _loss_and_gradients(*arguments)[1:], None
        if float(grad_output) != 1.0:
            grad.mul_(grad_output)
            grad_rows.mul_(grad_output)
        return grad, None, grad_rows, None, None


def _loss_and_gradients(logits: Tensor, labels: Tensor, rows: Tensor, ignore_index: int | None,
                        divisor: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the loss summed in float64, and its gradients with respect to logits and rows divided by ``divisor``."""
    grad = torch.empty_like(logits, memory_format=torch.contiguous_format)
    grad_rows = torch.zeros_like(rows)
    total = torch.zeros((), dtype=torch.float64)
    with full_precision(logits.device.type):
        for chunk in one_hot_chunks(labels, logits, len(rows), ignore_index):
            part = (chunk.image, slice(None), chunk.pixels)
            z = torch.addmm(logits[part], rows.t(), chunk.member, out=grad[part])
            total += _softmax_minus_one_hot(z, chunk, divisor)
            grad_rows.addmm_(chunk.member, z.t())
    return total, grad, grad_rows


def _softmax_minus_one_hot(z: Tensor, chunk: Chunk, divisor: float) -> Tensor:
    """Replace logits z (C, p) by the gradient of their summed cross-entropy / ``divisor``, and return the sum."""
    z.sub_(z.amax(dim=0, keepdim=True))
    true_logit = z.gather(0, chunk.label.clamp(max=len(z) - 1))
    z.exp_()
    summed = z.sum(dim=0, keepdim=True)
    valid = chunk.label < len(z)
    z.mul_(valid / (summed * divisor)).sub_(chunk.member, alpha=1 / divisor)
    return torch.where(valid, summed.log_().sub_(true_logit), 0).sum(dtype=torch.float64)


def _differentiable_gradients(wanted: tuple[bool, bool], logits: Tensor, labels: Tensor, rows: Tensor,
                              ignore_index: int | None, divisor: float) -> list[Tensor | None]:
    """Return the gradients with respect to logits and rows with their own autograd graph; None where not wanted."""
    index = class_index(labels, len(rows), ignore_index)  # two more values for pixels without a label, with row 0
    augmented = logits + F.pad(rows, (0, 0, 0, 2))[index].movedim(-1, 1)
    total = F.cross_entropy(augmented, labels, ignore_index=-100 if ignore_index is None else ignore_index,
                            reduction='sum') / divisor
    gradients = iter(torch.autograd.grad(total, [x for x, want in zip((logits, rows), wanted, strict=True) if want],
                                         create_graph=True))
    return [next(gradients) if want else None for want in wanted]
