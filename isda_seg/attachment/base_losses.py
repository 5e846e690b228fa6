"""What is known about the losses that ISDA augments: plain torch's, MMSegmentation's and MMPretrain's."""
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.core.functional import cross_entropy
from isda_seg.core.ops.checks import number_labelled
from isda_seg.core.ops.device import constant

MMSEG_CROSS_ENTROPY = 'mmseg.models.losses.cross_entropy_loss'
NOT_SOFTMAX = ('FocalLoss', 'DiceLoss', 'TverskyLoss', 'LovaszLoss', 'BoundaryLoss', 'HuasdorffDisstanceLoss',
               'SiLogLoss', 'CenterLoss', 'DistributionNetLoss')
SOFTMAX = ('CrossEntropyLoss', 'OhemCrossEntropy', 'SoftmaxFocalLoss', 'MeanCrossEntropy', 'DisturbLabelLoss',
           'LargeMarginLoss', 'LqLoss')  # of any scope


class MeanCrossEntropy(nn.Module):
    """Cross-entropy, mean over labelled samples; 0 where nothing is labelled."""

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Logits (N, C, ...), labels (N, ...); a scalar."""
        return cross_entropy(logits, labels, ignore_index=ignore_index)


@cache
def parameters(forward: Callable[..., Tensor]) -> Mapping[str, inspect.Parameter]:
    """What the ``forward`` of a class of losses takes, but ``self``."""
    return dict(list(inspect.signature(forward).parameters.items())[1:])


def _takes_all(loss: nn.Module) -> bool:
    return any(known.kind is inspect.Parameter.VAR_KEYWORD for known in parameters(type(loss).forward).values())


def own_ignore_index(loss: nn.Module) -> int:
    """The label that a loss ignores where its caller names none."""
    own = getattr(loss, 'ignore_label', getattr(loss, 'ignore_index', None))
    return -100 if own is None else int(own)


def check_keywords(loss: nn.Module, ignore_index: int, kwargs: Mapping[str, Any]) -> None:
    """ValueError for a keyword that the loss does not know, or another label that it ignores."""
    known = parameters(type(loss).forward)
    refused = [] if _takes_all(loss) else [key for key in kwargs if key not in known]
    if refused:
        raise ValueError(f'the base loss {type(loss).__name__} cannot take {refused}, which its caller (a head, or its '
                         f'pixel sampler) asks for; it takes {list(known)}: use another base, or no sampler')
    own = getattr(loss, 'ignore_label', getattr(loss, 'ignore_index', None))
    if 'ignore_index' not in known and own not in (None, ignore_index):
        raise ValueError(f'the base loss ignores label {own}, the head label {ignore_index}')


def value(loss: nn.Module, logits: Tensor, labels: Tensor, ignore_index: int, kwargs: Mapping[str, Any],
          factor: float = 1.0) -> Tensor:
    """``factor`` times the loss; of OHEM 0 where it finds no pixel."""
    known = parameters(type(loss).forward)
    if 'ignore_index' in known or _takes_all(loss):
        kwargs = dict(kwargs, ignore_index=ignore_index)
    result: Tensor = loss(logits, labels, **kwargs)
    if type(loss).__name__ == 'OhemCrossEntropy' and not bool(result.isfinite() & result.requires_grad):
        return logits.sum() * 0  # MMSeg's takes the mean over no pixel, or returns a constant
    return result if factor == 1.0 else factor * result


def mean_value(loss: nn.Module, logits: Iterable[Tensor], labels: Tensor, ignore_index: int, kwargs: Mapping[str, Any],
               factor: float = 1.0) -> Tensor:
    """The mean of ``value`` over several logits of the same samples."""
    values = [value(loss, each, labels, ignore_index, kwargs, factor) for each in logits]
    return values[0] if len(values) == 1 else torch.stack(values).mean(dim=0)


def with_own_ignore_index(loss: nn.Module, index: Tensor, none: int, ignore_index: int) -> tuple[Tensor, int]:
    """Labels that ignore ``none`` as a loss takes them that may know ``ignore_index`` only, and which of the two."""
    if none == ignore_index or type(loss) is MeanCrossEntropy:
        return index, none
    return torch.where(index == none, constant(ignore_index, (), torch.int64, index.device), index), ignore_index


def divisor(loss: nn.Module, labels: Tensor, ignore_index: int, kwargs: Mapping[str, Any],
            factor: float = 1.0) -> float | Tensor | None:
    """What divides the summed cross-entropy in ``factor`` times the loss; None where it is another loss.

    The mean of MMSegmentation's plain cross-entropy is over all pixels unless ``avg_non_ignore``.
    """
    if kwargs:
        return None
    if type(loss) is MeanCrossEntropy and factor == 1.0:
        return number_labelled(labels, ignore_index)
    if type(loss).__module__ != MMSEG_CROSS_ENTROPY or loss.class_weight is not None or loss.reduction != 'mean':
        return None
    factor *= loss.loss_weight
    if not factor:
        return None
    return (number_labelled(labels, ignore_index) if loss.avg_non_ignore else labels.numel()) / factor


def require_softmax(loss: nn.Module) -> None:
    """ValueError for a loss whose value does not follow from a softmax at each pixel: Eq. 7 bounds no such loss."""
    name = type(loss).__name__
    if getattr(loss, 'use_sigmoid', False) or getattr(loss, 'use_mask', False) or name in NOT_SOFTMAX:
        raise ValueError(f'{name} is no softmax cross-entropy, so ISDA cannot augment it as base; use '
                         'CrossEntropyLoss, OhemCrossEntropy or SoftmaxFocalLoss, and list other losses beside it')


def take_weighted_mean(loss: nn.Module) -> None:
    """Let MMSegmentation's cross-entropy with class weights divide by those of the labelled pixels, in place.

    That is its default; ``avg_non_ignore``, which asks for the same, is an IndexError there.
    """
    if type(loss).__module__ == MMSEG_CROSS_ENTROPY and loss.class_weight is not None:
        loss.__dict__['avg_non_ignore'] = False


def check_class_weight(loss: nn.Module, num_classes: int) -> None:
    """ValueError where a loss weighs another number of classes."""
    weights = getattr(loss, 'class_weight', None)
    weights = getattr(loss, 'weight', None) if weights is None else weights
    if weights is not None and not isinstance(weights, str) and len(weights) != num_classes:
        raise ValueError(f'the base loss {type(loss).__name__} has {len(weights)} class weights, the classifier '
                         f'{num_classes} classes: give one weight for each')


def why_plain(loss: nn.Module) -> str | None:
    """Why a loss in a model keeps its value; None for one that is known to be a softmax cross-entropy."""
    name = type(loss).__name__
    keys = [key for key in ('use_sigmoid', 'use_mask', 'use_soft') if getattr(loss, key, False)]
    if keys or name in NOT_SOFTMAX:
        return f'{name}{" with " if keys else ""}{", ".join(keys)} is no softmax cross-entropy of one label a pixel'
    if name in SOFTMAX:
        return None
    return (f"whether {name} is a softmax cross-entropy is not known; if it is, write dict(type='isda_seg.losses."
            f"ISDALoss', lambda_0=..., base=dict(type={name!r}, ...)) in its place")
