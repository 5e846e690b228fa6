"""ISDA for unlabelled data: the bound on the expected consistency loss (Eq. 15)."""
import torch
from torch import Tensor

from isda_seg.core.checks import at_least_float32, check_pair
from isda_seg.core.margin import margin_variance
from isda_seg.core.precision import full_precision
from isda_seg.core.schedule import check_strength

MAX_TERMS = 1 << 24  # elements of one (n, C, C) block


def isda_consistency(logits: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
                     targets: Tensor | None = None, reduction: str = 'mean') -> Tensor:
    """``sum_k p_k log sum_j exp(z_j - z_k + strength/2 (w_j - w_k)^T Sigma_u (w_j - w_k))``, u = argmax p (Eq. 15).

    Bounds the expected cross-entropy between the targets and the augmented predictions (Proposition 2); at strength 0
    and default targets it is the entropy of the prediction.

    Args:
        logits: (N, C) of the augmented branch; gradients flow into them and into ``weight``.
        weight: (C, A) of the classifier.
        covariance: (C, A) or (C, A, A), or leading dimension 1; that of the pseudo class u is used.
        strength: lambda.
        targets: (N, C) probabilities p, default ``softmax(logits)``; always detached.
        reduction: 'mean' over N, 'sum' or 'none'. No sample: mean 0.

    Raises:
        ValueError: shapes that do not fit, a bad strength, an unknown reduction.
    """
    check_pair(weight, covariance)
    if logits.dim() != 2 or logits.shape[1] != len(weight):
        raise ValueError(f'logits must have shape (N, {len(weight)}), got {tuple(logits.shape)}')
    if targets is not None and targets.shape != logits.shape:
        raise ValueError(f'targets must have the shape of the logits {tuple(logits.shape)}, got {tuple(targets.shape)}')
    if reduction not in ('mean', 'sum', 'none'):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    half = check_strength(strength) / 2
    dtype = at_least_float32(logits, weight, covariance)
    with full_precision(logits.device.type):
        z = logits.to(dtype)
        p = (z.softmax(dim=1) if targets is None else targets.to(dtype)).detach()
        pseudo = p.argmax(dim=1)
        shared = len(covariance) == 1
        rows, losses = [], []
        for u in [0] if shared else sorted(set(pseudo.tolist())):
            table = half * margin_variance(weight, covariance[u:u + 1])  # (C, C): [k, j]
            members = torch.arange(len(z), device=z.device) if shared else (pseudo == u).nonzero().flatten()
            for index in members.split(max(1, MAX_TERMS // table.numel())):
                bound = (z[index][:, None, :] + table).logsumexp(dim=2) - z[index]
                rows.append(index)
                losses.append((p[index] * bound).sum(dim=1))
        if not rows:
            return z.sum() * 0 if reduction != 'none' else z.sum(dim=1)
        each = torch.cat(losses)[torch.cat(rows).argsort()]
    if reduction == 'none':
        return each
    return each.sum() if reduction == 'sum' else each.sum() / max(1, len(each))
