"""Quadratic forms of the differences between classifier rows, whose gradients reuse the forward pass's products."""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.ops.device import on_host
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import full_precision

LARGEST = 1e30    # in place of what is infinite: a class that no label asks for then stays out, as 0 times a number
CACHED = 1 << 19  # elements of the rows worked on at once on a host
CANCELLED = 1e-3  # a square below this share of what it is the difference of


@opaque
def difference_forms(weight: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
    """``(w_c - w_y)^T S_y (w_c - w_y)`` for some y and every c, each difference by itself; at least 0 and finite.

    Args:
        weight: (C, A).
        classes: (n,) the y, None for all.
        covariance: (C, A, A), symmetric, or their diagonals (C, A); leading dimension 1 where all classes share it.

    Returns:
        (n, C).
    """
    result: Tensor = _DifferenceForms.apply(weight, classes, covariance)  # type: ignore[no-untyped-call]
    return result


@opaque
def square_forms(weight: Tensor, classes: Tensor | None, diagonals: Tensor) -> tuple[Tensor, Tensor]:
    """``difference_forms`` for diagonals (n, A) by products of matrices: less work, but squares may cancel.

    Returns:
        (n, C), and where it has (n, C).
    """
    table, cancelled = _SquareForms.apply(weight, classes, diagonals)  # type: ignore[no-untyped-call]
    return table, cancelled


class _DifferenceForms(torch.autograd.Function):
    """The gradient is ``2 S x``, which the forward pass has: autograd's own would multiply by S twice more.

    The covariance itself is looked at again for a second derivative alone, because it goes on changing in place.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
        vectors = _differences(weight, classes)
        if covariance.dim() == 3 and on_host(covariance):  # without a copy of the matrices
            product = torch.empty_like(vectors)
            for i, c in enumerate(range(len(vectors)) if classes is None else classes.tolist()):
                torch.mm(vectors[i], covariance[c if len(covariance) > 1 else 0], out=product[i])
        else:
            product = _multiply(vectors, classes, covariance)
        product.nan_to_num_(nan=0.0, posinf=LARGEST, neginf=-LARGEST)
        ctx.save_for_backward(weight, classes, product)
        ctx.covariance, ctx.version = covariance, covariance._version
        if on_host(product):
            forms = (product * vectors).sum(dim=-1)
        else:  # one operation
            forms = (product.flatten(0, 1)[:, None] @ vectors.flatten(0, 1)[:, :, None]).view(product.shape[:2])
        return forms if covariance.dim() == 2 else forms.clamp_(min=0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        weight, classes, product = ctx.saved_tensors
        with full_precision(grad.device.type):
            if torch.is_grad_enabled() or ctx.needs_input_grad[2]:
                if ctx.covariance._version != ctx.version:
                    raise RuntimeError('a second derivative needs the covariance as it was, but more has been observed '
                                       'since: take it before the next step')
                return _by_autograd(lambda w, sigma: _forms(_differences(w, classes), classes, sigma), grad, weight,
                                    ctx.covariance, ctx.needs_input_grad)
            twice = 2 * grad
            grad_weight = twice.t()[:, None] @ product.transpose(0, 1)
            if classes is None:
                return torch.baddbmm(grad_weight, twice[:, None], product, alpha=-1)[:, 0], None, None
            return grad_weight[:, 0].index_add_(0, classes, (twice[:, None] @ product)[:, 0], alpha=-1), None, None


def _differences(weight: Tensor, classes: Tensor | None) -> Tensor:
    """(n, C, A)."""
    return weight[None] - (weight if classes is None else weight[classes])[:, None]


def _multiply(vectors: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
    """``S_y x`` for vectors x (n, C, A)."""
    if classes is not None and len(covariance) > 1:
        covariance = covariance[classes]
    return vectors * covariance[:, None] if covariance.dim() == 2 else vectors @ covariance


def _forms(vectors: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
    return (_multiply(vectors, classes, covariance) * vectors).sum(dim=-1)


class _SquareForms(torch.autograd.Function):
    """``sum_a s (w^2 - 2 w o + o^2)``, some rows w at a time, so that they stay in a host's cache.

    Only differences matter, so the rows' common offset goes, from the gradients too.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, classes: Tensor | None, diagonals: Tensor) -> tuple[Tensor, Tensor]:
        offset = weight.mean(dim=0)
        own = (weight if classes is None else weight[classes]) - offset
        scaled = diagonals * own
        spread = (scaled * own).sum(dim=1, keepdim=True)
        found = []
        for rows in torch.split(weight, _at_once(weight)):
            w = rows - offset
            sums = torch.addmm(spread, diagonals, w.square().t())
            found.append((torch.addmm(sums, scaled, w.t(), alpha=-2), sums))
        table, sums = (parts[0] if len(found) == 1 else torch.cat(parts, dim=1) for parts in zip(*found, strict=True))
        ctx.save_for_backward(weight, classes, diagonals, offset, scaled)
        cancelled = table < CANCELLED * sums
        ctx.mark_non_differentiable(cancelled)
        return table, cancelled

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, None, Tensor | None]:
        weight, classes, diagonals, offset, scaled = ctx.saved_tensors
        with full_precision(grad.device.type):
            if torch.is_grad_enabled() or ctx.needs_input_grad[2]:
                return _by_autograd(lambda w, sigma: _squares(w, classes, sigma), grad, weight, diagonals,
                                    ctx.needs_input_grad)
            grad_weight, of_own = torch.empty_like(weight), scaled * grad.sum(dim=1, keepdim=True)
            size = _at_once(weight)
            for rows, own_grad, out in zip(*(torch.split(tensor, size, dim) for tensor, dim in (
                    (weight, 0), (grad, 1), (grad_weight, 0))), strict=True):
                w = rows - offset
                torch.mm(own_grad.t(), diagonals, out=out).mul_(w).addmm_(own_grad.t(), scaled, beta=2, alpha=-2)
                of_own.addcmul_(diagonals, own_grad @ w, value=-1)
            if classes is None:
                return grad_weight.add_(of_own, alpha=2), None, None
            return grad_weight.index_add_(0, classes, of_own, alpha=2), None, None


def _at_once(weight: Tensor) -> int:
    """How many rows."""
    return max(1, CACHED // weight.shape[1]) if on_host(weight) else max(1, len(weight))


def _squares(weight: Tensor, classes: Tensor | None, diagonals: Tensor) -> Tensor:
    w = weight - weight.mean(dim=0)
    own = w if classes is None else w[classes]
    return diagonals @ w.square().t() - 2 * (diagonals * own) @ w.t() + (diagonals * own.square()).sum(1, keepdim=True)


def _by_autograd(forms: Callable[[Tensor, Tensor], Tensor], grad: Tensor, weight: Tensor, covariance: Tensor,
                 wanted: tuple[bool, ...]) -> tuple[Tensor | None, None, Tensor | None]:
    """The gradients of ``forms(weight, covariance)`` with a graph of their own."""
    with torch.enable_grad():
        inputs = [x for x, want in ((weight, wanted[0]), (covariance, wanted[2])) if want]
        found = iter(torch.autograd.grad(forms(weight, covariance), inputs, grad, create_graph=True))
    return next(found) if wanted[0] else None, None, next(found) if wanted[2] else None
