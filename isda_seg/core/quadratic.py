"""Many quadratic forms of symmetric matrices, whose gradient reuses the forward pass's products."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.precision import full_precision


def quadratic_form(vectors: Tensor, matrices: Tensor) -> Tensor:
    """``x^T S x`` for each x.

    Args:
        vectors: (n, C, A).
        matrices: (n, A, A), symmetric.

    Returns:
        (n, C).
    """
    result: Tensor = _QuadraticForm.apply(vectors, matrices)  # type: ignore[no-untyped-call]
    return result


class _QuadraticForm(torch.autograd.Function):
    """The gradient is ``2 S x``, which the forward pass has: autograd's own would multiply by S twice more."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, matrices: Tensor) -> Tensor:
        product = vectors @ matrices
        ctx.save_for_backward(vectors, matrices, product)
        return (product * vectors).sum(dim=-1)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        vectors, matrices, product = ctx.saved_tensors
        grad_vectors = grad_matrices = None
        with full_precision(grad.device.type):
            if ctx.needs_input_grad[0]:
                if torch.is_grad_enabled():  # for a second derivative
                    product = vectors @ matrices
                grad_vectors = 2 * grad[..., None] * product
            if ctx.needs_input_grad[1]:
                grad_matrices = vectors.mT @ (grad[..., None] * vectors)
        return grad_vectors, grad_matrices
