"""Cross-entropy of augmented logits in one visit to each pixel of a GPU, made by torch.compile."""
import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

COMPILED = ('cuda',)  # device types whose kernels are worth waiting for at the first step


def compiles(tensor: Tensor) -> bool:
    """Whether ``visit`` is compiled where the tensor is, as far as is known: False once it has failed."""
    return tensor.device.type in COMPILED and not _failed


def visit(logits: Tensor, index: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """The cross-entropy of ``logits + rows[label]``, summed over labelled pixels, and its gradient in the logits.

    Args:
        logits: (N, C, P).
        index: (N, P) labels as ``class_index`` has them, C and more where nothing is labelled.
        rows: (C, C).
    """
    if compiles(logits):
        try:
            return _compiled()(logits, index, rows)
        except Exception as error:  # no compiler, no Triton, an operation they do not know
            _failed.append(error)
            warnings.warn(f'torch.compile failed, so ISDA goes on with ordinary operations, which cost more memory and '
                          f'time: {type(error).__name__}: {str(error)[:200]}', stacklevel=2)
    return plain_visit(logits, index, rows)


def plain_visit(logits: Tensor, index: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """``visit`` as it is compiled."""
    classes = logits.shape[1]
    labelled = (index < classes)[:, None]
    own = index.clamp(max=classes - 1)
    log_p = (logits + rows.t()[:, own].movedim(0, 1)).log_softmax(dim=1)
    loss = -torch.where(labelled, log_p.gather(1, own[:, None]), 0).sum()
    member = own[:, None] == torch.arange(classes, device=own.device)[:, None]
    return loss, torch.where(labelled, log_p.exp() - member.to(log_p.dtype), 0)


_failed: list[Exception] = []


@cache
def _compiled() -> Callable[..., tuple[Tensor, Tensor]]:
    return torch.compile(plain_visit, fullgraph=True)
