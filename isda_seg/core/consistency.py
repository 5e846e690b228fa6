"""ISDA for unlabelled data: upper bound of the expected consistency loss (Eq. 15)."""
import torch
from torch import Tensor

from isda_seg.core.ops.checks import check_choice, check_pair
from isda_seg.core.ops.device import on_cpu, widest
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.ops.quadratic import LARGEST
from isda_seg.core.schedule import check_strength

MAX_TERMS = 1 << 24  # elements of one (n, C, C) block, and of the tables held at once


def isda_consistency(logits: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                     targets: Tensor | None = None, reduction: str = 'mean') -> Tensor:
    """Return the upper bound of the expected consistency loss (Eq. 15, Proposition 2).

    It is ``sum_k p_k log sum_j exp(z_j - z_k + strength/2 (w_j - w_k)^T Sigma_u (w_j - w_k))`` with u = argmax p, and
    bounds the expected cross-entropy between the targets p and the augmented predictions. At strength 0 with default
    targets it is the entropy of the prediction.

    Args:
        logits: (N, C) z of the augmented branch; gradients flow into them and into ``weight``.
        weight: (C, A) of the classifier.
        covariance: (C, A) or (C, A, A), or leading dimension 1; that of the pseudo class u is used.
        strength: lambda.
        targets: (N, C) probabilities p, default ``softmax(logits)``; always detached.
        reduction: 'mean' over N, 'sum' or 'none'. The mean over an empty batch is 0.

    Returns:
        a scalar; (N,) for 'none'.

    Raises:
        ValueError: shapes that do not fit, a bad strength, an unknown reduction.
    """
    check_pair(weight, covariance)
    if logits.dim() != 2 or logits.shape[1] != len(weight):
        raise ValueError(f'logits must have shape (N, {len(weight)}), got {tuple(logits.shape)}')
    if targets is not None and targets.shape != logits.shape:
        raise ValueError(f'targets must have the shape of the logits {tuple(logits.shape)}, got {tuple(targets.shape)}')
    check_choice(reduction, ('mean', 'sum', 'none'), 'reduction')
    half = check_strength(strength) / 2
    dtype = at_least_float32(logits, weight, covariance)
    with full_precision(logits.device.type):
        z = logits.to(dtype)
        p = (z.softmax(dim=1) if targets is None else targets.to(dtype)).detach()
        each = _bounds(z, p, weight, covariance, half)
    if reduction == 'none':
        return each
    return each.sum() if reduction == 'sum' else each.sum() / max(1, len(each))


def _bounds(z: Tensor, p: Tensor, weight: Tensor, covariance: Tensor, half: float) -> Tensor:
    """Return Eq. 15 for each row, (N,).

    An accelerator computes the tables of all classes, C^3 elements, to avoid synchronisation. If they exceed
    ``MAX_TERMS``, and on a CPU, only tables of classes in the batch are computed.
    """
    terms = weight.shape[0] ** 2
    pseudo = p.argmax(dim=1)
    if len(covariance) == 1:
        classes, position = None, torch.zeros_like(pseudo)
    elif on_cpu(z) or len(weight) * terms > MAX_TERMS:
        classes, position = torch.unique(pseudo, return_inverse=True)
    else:
        classes, position = None, pseudo
    number = len(covariance) if classes is None else len(classes)
    at_once = max(1, MAX_TERMS // terms)
    rows, bounds = [], []
    for first in range(0, number, at_once):
        chosen = slice(first, first + at_once) if classes is None else classes[first:first + at_once]
        parts = [_pair_variance(weight, part).to(z.dtype)
                 for part in torch.split(covariance[chosen], max(1, MAX_TERMS // covariance[0].numel()))]
        table = half * (parts[0] if len(parts) == 1 else torch.cat(parts))
        if number <= at_once:
            members = torch.arange(len(z), device=z.device)
        else:
            members = ((position >= first) & (position < first + at_once)).nonzero().flatten()
        for index in torch.split(members, max(1, MAX_TERMS // terms)):
            part, q = (z, p) if len(index) == len(z) else (z[index], p[index])
            # A product with one-hot rows selects each row's table: its gradient sums in a deterministic order.
            member = (position[index] - first)[:, None] == torch.arange(len(table), device=z.device)
            added = (member.to(z.dtype) @ table.flatten(1)).view(-1, *table.shape[1:])
            rows.append(index)
            bounds.append((q * ((part[:, None, :] + added).logsumexp(dim=2) - part)).sum(dim=1))
    if len(bounds) == 1:
        return bounds[0]
    return torch.cat(bounds)[torch.cat(rows).argsort()] if bounds else z.sum(dim=1)


def _pair_variance(weight: Tensor, covariance: Tensor) -> Tensor:
    """Return ``(w_j - w_k)^T Sigma_u (w_j - w_k)`` for n covariances, (n, C, C), in float64 against cancellation."""
    wide = widest(weight)
    w = weight.to(wide)
    w = w - w.mean(dim=0)
    sigma = covariance.to(wide).nan_to_num(nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    products = (w * sigma[:, None] if sigma.dim() == 2 else w @ sigma) @ w.t()
    squares = products.diagonal(dim1=1, dim2=2)
    return (squares[:, :, None] + squares[:, None, :] - 2 * products).clamp(min=0)
