"""The ISDA loss of class probabilities: mixup, CutMix, smoothed labels, distillation (Eq. 7 in expectation)."""
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from isda_seg.core.margin import label_margin_variance
from isda_seg.core.ops.checks import check_choice, check_classes, improper, raise_improper
from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.prior import adjust_logits
from isda_seg.core.schedule import check_strength

BLOCK_CPU = 1 << 18  # elements of augmented logits held at once on a CPU
BLOCK = 1 << 24      # the same limit on an accelerator


@opaque
def soft_cross_entropy(logits: Tensor, targets: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                       class_weight: Tensor | None = None, label_smoothing: float = 0.0,
                       adjustment: Tensor | None = None, reduction: str = 'mean') -> Tensor:
    """Return the ISDA loss of class probabilities, an upper bound of the expected cross-entropy (Eq. 7).

    A sample with logits z and target distribution p has the class y with probability p_y. Given y, its feature is
    augmented with the covariance of y, as that of a sample with label y. The expected loss is linear in p: it is the
    mean of the expected losses of the labels y. Eq. 7 bounds each of them, and p_y >= 0, so that

        sum_y p_y E[-log softmax_y(W a~ + b)], a~ ~ N(a, strength Sigma_y)
            <= sum_y p_y (log sum_c exp(z_c + strength/2 T[y, c]) - z_y).

    One-hot probabilities give Eq. 7. A CPU computes a row of C terms for each probability above 0, such as 2 per sample
    for mixup and C for smoothed labels; an accelerator computes all N C rows. The rows are computed
    in blocks, and again for the gradient, so the memory is that of a few tensors of the logits' size. The result has no
    second derivative. Arguments are those of ``isda_cross_entropy`` and ``F.cross_entropy``; a row of zeros has loss 0.
    """
    half = check_strength(strength) / 2
    check_classes(logits, weight)
    check_choice(reduction, ('mean', 'sum', 'none'), 'reduction')
    if on_cpu(targets):
        raise_improper(improper(targets))
    logits, classes = adjust_logits(logits, adjustment), len(weight)
    if half:
        z, p = (tensor.movedim(1, -1).reshape(-1, classes) for tensor in (logits, targets.detach()))
        each = _samples(z, p, weight, covariance, half, class_weight, label_smoothing)
        loss = each.view(logits.shape[:1] + logits.shape[2:]) if reduction == 'none' else each.sum()
    else:
        logits = logits.to(at_least_float32(logits, weight, covariance))  # as for labels
        loss = F.cross_entropy(logits, targets, None if class_weight is None else class_weight.to(logits.dtype),
                               label_smoothing=label_smoothing, reduction='none' if reduction == 'none' else 'sum')
    return loss / max(1, targets.numel() // classes) if reduction == 'mean' else loss


def _samples(z: Tensor, p: Tensor, weight: Tensor, covariance: Tensor, half: float, class_weight: Tensor | None,
             label_smoothing: float) -> Tensor:
    """Return the loss of each sample, (N,), for logits and probabilities (N, C)."""
    classes = z.shape[1]
    used = p.ne(0).any(dim=0).nonzero().flatten() if on_cpu(p) else torch.arange(classes, device=p.device)
    rows = half * label_margin_variance(weight, covariance, used)
    dtype = at_least_float32(z, rows)
    rows, p, z = rows.to(dtype), p.to(dtype), z.to(dtype)
    z = z - z.detach().amax(dim=1, keepdim=True)  # only differences matter
    scale = z.new_ones(classes) if class_weight is None else class_weight.detach().to(dtype)
    own, smooth = 1 - label_smoothing, label_smoothing / classes
    each: Tensor = _WeightedLogSumExp.apply(  # type: ignore[no-untyped-call]
        z, rows, p[:, used] * (own * scale[used] + smooth * scale.sum()))
    each = each - ((own * p + smooth * p.sum(dim=1, keepdim=True)) * scale * z).sum(dim=1)
    with full_precision(z.device.type):
        return each - smooth * (p[:, used] @ (rows @ scale)) if smooth else each


class _WeightedLogSumExp(torch.autograd.Function):
    """``sum_k q_ik log sum_c exp(z_ic + rows_kc)``, (N,), of z (N, C), rows (K, C) and q (N, K)."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, rows: Tensor, q: Tensor) -> Tensor:
        ctx.save_for_backward(z, rows, q)
        total = z.new_zeros(len(z))
        for samples, some in _blocks(q, z.shape[1]):
            total[samples] += (q[samples, some] * (z[samples, None] + rows[some]).logsumexp(dim=2)).sum(dim=1)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        z, rows, q = ctx.saved_tensors
        grad_z, grad_rows = torch.zeros_like(z), torch.zeros_like(rows)
        q = q * grad[:, None]
        for samples, some in _blocks(q, z.shape[1]):
            share = (z[samples, None] + rows[some]).softmax(dim=2)
            share.mul_(q[samples, some, None])
            grad_z[samples] += share.sum(dim=1)
            grad_rows[some] += share.sum(dim=0)
        return grad_z, grad_rows, None


def _blocks(q: Tensor, classes: int) -> Iterator[tuple[Tensor | slice, slice]]:
    """Yield the samples and the rows of each block. A CPU skips coefficients of 0."""
    if on_cpu(q):
        for k in range(q.shape[1]):
            for samples in torch.split(q[:, k].nonzero().flatten(), max(1, BLOCK_CPU // classes)):
                yield samples, slice(k, k + 1)
        return
    size = max(1, BLOCK // max(1, len(q) * classes))
    for start in range(0, q.shape[1], size):
        yield slice(None), slice(start, start + size)
