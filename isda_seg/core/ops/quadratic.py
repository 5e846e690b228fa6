"""Quadratic forms of differences between classifier rows, with gradients that reuse products of the forward pass."""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import full_precision

LARGEST = 1e30  # replaces infinity, so that rows of a class without a sample have a gradient of 0 instead of NaN
CACHE_ELEMENTS = 1 << 19  # elements of the rows processed at once on a CPU
CANCELLATION = 1e-3  # relative cancellation threshold


@opaque
def difference_forms(weight: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
    """Return ``(w_c - w_y)^T S_y (w_c - w_y)``, (n, C), for the classes y (n,) or all, from explicit differences.

    The weight is (C, A). The covariances are (C, A, A), diagonals (C, A), or one of these with leading dimension 1.
    """
    result: Tensor = _DifferenceForms.apply(weight, classes, covariance)  # type: ignore[no-untyped-call]
    return result


@opaque
def expanded_forms(weight: Tensor, classes: Tensor | None, diagonals: Tensor) -> tuple[Tensor, Tensor]:
    """Compute ``difference_forms`` for diagonals (n, A) from the expanded square: faster, but subject to cancellation.

    The second result is a mask (n, C) of the entries that lost precision.
    """
    table, cancelled = _ExpandedForms.apply(weight, classes, diagonals)  # type: ignore[no-untyped-call]
    return table, cancelled


class _DifferenceForms(torch.autograd.Function):
    """Quadratic form whose gradient ``2 S x`` reuses the product ``S x`` of the forward pass.

    Only a second derivative reads the covariance again, because later observations change it in place.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
        vectors = _differences(weight, classes)
        if covariance.dim() == 3 and on_cpu(covariance):  # avoids a copy of the matrices
            product = torch.empty_like(vectors)
            for i, c in enumerate(range(len(vectors)) if classes is None else classes.tolist()):
                torch.mm(vectors[i], covariance[c if len(covariance) > 1 else 0], out=product[i])
        else:
            product = _multiply(vectors, classes, covariance)
        product.nan_to_num_(nan=0.0, posinf=LARGEST, neginf=-LARGEST)
        ctx.save_for_backward(weight, classes, product)
        ctx.covariance, ctx.version = covariance, covariance._version
        if on_cpu(product):
            forms = (product * vectors).sum(dim=-1)
        else:  # a single kernel
            forms = (product.flatten(0, 1)[:, None] @ vectors.flatten(0, 1)[:, :, None]).view(product.shape[:2])
        return forms if covariance.dim() == 2 else forms.clamp_(min=0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, Tensor | None]:
        weight, classes, product = ctx.saved_tensors
        with full_precision(grad.device.type):
            if torch.is_grad_enabled() or ctx.needs_input_grad[2]:
                require_unchanged(ctx.covariance, ctx.version)
                return _by_autograd(lambda w, sigma: _forms(_differences(w, classes), classes, sigma), grad, weight,
                                    ctx.covariance, ctx.needs_input_grad)
            twice = 2 * grad
            grad_weight = twice.t()[:, None] @ product.transpose(0, 1)
            if classes is None:
                return torch.baddbmm(grad_weight, twice[:, None], product, alpha=-1)[:, 0], None, None
            return grad_weight[:, 0].index_add_(0, classes, (twice[:, None] @ product)[:, 0], alpha=-1), None, None


def require_unchanged(covariance: Tensor, version: int) -> None:
    """Raise RuntimeError if a covariance that a second derivative needs has changed since the forward pass."""
    if covariance._version != version:
        raise RuntimeError('a second derivative needs the covariance of the forward pass, but a later observation has '
                           'changed it: compute the derivative before the next step')


def _differences(weight: Tensor, classes: Tensor | None) -> Tensor:
    """Return the differences ``w_c - w_y``, (n, C, A)."""
    return weight[None] - (weight if classes is None else weight[classes])[:, None]


def _multiply(vectors: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
    """Return ``S_y x`` for vectors x (n, C, A)."""
    if classes is not None and len(covariance) > 1:
        covariance = covariance[classes]
    return vectors * covariance[:, None] if covariance.dim() == 2 else vectors @ covariance


def _forms(vectors: Tensor, classes: Tensor | None, covariance: Tensor) -> Tensor:
    return (_multiply(vectors, classes, covariance) * vectors).sum(dim=-1)


class _ExpandedForms(torch.autograd.Function):
    """Expanded square ``sum_a s (w^2 - 2 w o + o^2)``, for as many rows w at once as fit the cache of a CPU.

    The common offset of the rows is subtracted first, because only differences matter.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, classes: Tensor | None, diagonals: Tensor) -> tuple[Tensor, Tensor]:
        offset = weight.mean(dim=0)
        w_y = (weight if classes is None else weight[classes]) - offset
        scaled = diagonals * w_y
        spread = (scaled * w_y).sum(dim=1, keepdim=True)
        pieces = []
        for rows in torch.split(weight, _at_once(weight)):
            w = rows - offset
            sums = torch.addmm(spread, diagonals, w.square().t())
            pieces.append((torch.addmm(sums, scaled, w.t(), alpha=-2), sums))
        table, sums = (parts[0] if len(pieces) == 1 else torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True))
        ctx.save_for_backward(weight, classes, diagonals, offset, scaled)
        cancelled = table < CANCELLATION * sums
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
    """Return the number of rows to process at once."""
    return max(1, CACHE_ELEMENTS // weight.shape[1]) if on_cpu(weight) else max(1, len(weight))


def _squares(weight: Tensor, classes: Tensor | None, diagonals: Tensor) -> Tensor:
    w = weight - weight.mean(dim=0)
    w_y = w if classes is None else w[classes]
    return diagonals @ w.square().t() - 2 * (diagonals * w_y) @ w.t() + (diagonals * w_y.square()).sum(1, keepdim=True)


def _by_autograd(forms: Callable[[Tensor, Tensor], Tensor], grad: Tensor, weight: Tensor, covariance: Tensor,
                 wanted: tuple[bool, ...]) -> tuple[Tensor | None, None, Tensor | None]:
    """Return differentiable gradients of ``forms(weight, covariance)``; None for an input that needs none."""
    with torch.enable_grad():
        inputs = [x for x, want in ((weight, wanted[0]), (covariance, wanted[2])) if want]
        gradients = iter(torch.autograd.grad(forms(weight, covariance), inputs, grad, create_graph=True))
    return next(gradients) if wanted[0] else None, None, next(gradients) if wanted[2] else None
