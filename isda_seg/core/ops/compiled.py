"""Fused cross-entropy of augmented logits on a GPU, compiled with torch.compile."""
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

COMPILED = ('cuda',)  # device types for which the kernel is compiled at the first step


def compiles(tensor: Tensor) -> bool:
    """Return whether ``loss_and_gradient`` is compiled for the tensor's device; False after a failed compilation."""
    return tensor.device.type in COMPILED and not _failed


def loss_and_gradient(logits: Tensor, index: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of ``logits + rows[label]`` summed over labelled pixels, and its gradient.

    Args:
        logits: (N, C, P).
        index: (N, P) labels from ``class_index``; values of C and above are not labelled.
        rows: (C, C).

    Returns:
        the scalar sum, and its gradient with respect to the logits, (N, C, P).
    """
    if compiles(logits):
        try:
            return _compiled()(logits, index, rows)
        except Exception as error:  # for example without a C++ compiler or Triton
            _failed.append(error)
            warnings.warn('torch.compile failed. ISDA continues with eager operations, which need more memory and '
                          f'time: {type(error).__name__}: {str(error)[:200]}', stacklevel=2)
    return eager_loss_and_gradient(logits, index, rows)


def eager_loss_and_gradient(logits: Tensor, index: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Compute ``loss_and_gradient`` with eager operations; torch.compile fuses this function."""
    classes = logits.shape[1]
    labelled = (index < classes)[:, None]
    label = index.clamp(max=classes - 1)
    log_p = (logits + rows.t()[:, label].movedim(0, 1)).log_softmax(dim=1)
    loss = -torch.where(labelled, log_p.gather(1, label[:, None]), 0).sum()
    member = label[:, None] == torch.arange(classes, device=label.device)[:, None]
    return loss, torch.where(labelled, log_p.exp() - member.to(log_p.dtype), 0)


_failed: list[Exception] = []


@cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(eager_loss_and_gradient, fullgraph=True)
