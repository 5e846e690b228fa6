"""Base losses that ISDA supports: softmax cross-entropies of one label per sample. Plain torch."""
from numbers import Integral
from typing import Any

from torch import nn

from isda_seg.attachment.base_losses import MeanCrossEntropy

NOT_SOFTMAX = ('FocalLoss', 'DiceLoss', 'TverskyLoss', 'LovaszLoss', 'BoundaryLoss', 'HuasdorffDisstanceLoss',
               'SiLogLoss', 'BCEWithLogitsLoss', 'BCELoss', 'QualityFocalLoss', 'VarifocalLoss', 'GaussianFocalLoss',
               'FocalCustomLoss', 'DistributionFocalLoss', 'GHMC', 'GHMR', 'EQLV2Loss', 'SeesawLoss', 'DDQAuxLoss',
               'KnowledgeDistillationKLDivLoss', 'AssociativeEmbeddingLoss', 'MultiPosCrossEntropyLoss', 'TripletLoss',
               'L1Loss', 'SmoothL1Loss', 'BalancedL1Loss', 'L2Loss', 'MarginL2Loss', 'MSELoss', 'IoULoss',
               'BoundedIoULoss', 'GIoULoss', 'DIoULoss', 'CIoULoss', 'EIoULoss', 'SIoULoss')
SOFTMAX = ('CrossEntropyLoss', 'OhemCrossEntropy')  # class names in any scope; other classes declare ``softmax``


def checked(loss: nn.Module | None, ignore_index: int) -> nn.Module:
    """Return the loss, by default mean cross-entropy; ValueError unless it is a module and the index an integer."""
    if not isinstance(loss, nn.Module | None):
        raise ValueError(f'base must be a module such as torch.nn.CrossEntropyLoss(), got {loss}')
    if not isinstance(ignore_index, Integral):
        raise ValueError(f'ignore_index must be an integer, got {ignore_index!r}. Use -100 to ignore no label')
    return MeanCrossEntropy() if loss is None else loss


def is_softmax(kind: type) -> bool | None:
    """Return whether a class of losses is a softmax cross-entropy of one label per sample; None if this is not known.

    A class declares it by an attribute ``softmax``, True or False. Losses of other packages are known by name.
    """
    declared, names = getattr(kind, 'softmax', None), [base.__name__ for base in kind.__mro__]
    if isinstance(declared, bool):
        return declared
    return True if names[0] in SOFTMAX else False if {*names} & {*NOT_SOFTMAX} else None


def require_softmax(loss: nn.Module) -> None:
    """Raise ValueError for a loss that is known not to be a softmax cross-entropy, because Eq. 7 does not cover it."""
    if (reason := _other_loss(loss)) is not None:
        raise ValueError(f'{reason}, so ISDA does not support it as base. Use CrossEntropyLoss, OhemCrossEntropy or '
                         'SoftmaxFocalLoss, and list other losses separately')


def reason_not_softmax(loss: nn.Module) -> str | None:
    """Return why a loss is not known to be a softmax cross-entropy; None if it is."""
    reason, name = _other_loss(loss), type(loss).__name__
    if reason is not None or is_softmax(type(loss)):
        return reason
    declare = '' if callable(getattr(loss, 'softmax', None)) else ', or declare `softmax = True` in its class'
    return (f'{name} is not a known softmax cross-entropy; if it is one, replace it in the config by '
            f"dict(type='isda_seg.losses.ISDALoss', lambda_0=..., base=dict(type={name!r}, ...)){declare}")


def _other_loss(loss: nn.Module) -> str | None:
    keys = [key for key in ('use_sigmoid', 'use_mask', 'use_soft') if getattr(loss, key, False)]
    with_keys = f' with {", ".join(keys)}' if keys else ''
    return f'{type(loss).__name__}{with_keys} is not a softmax cross-entropy of one label per sample' \
        if keys or is_softmax(type(loss)) is False else None


def check_class_weight(loss: nn.Module, num_classes: int) -> None:
    """Raise ValueError if the number of class weights of a loss differs from the number of classes."""
    weights: Any = getattr(loss, 'class_weight', None)
    if weights is None and isinstance(loss, (nn.CrossEntropyLoss, nn.NLLLoss)):
        weights = loss.weight  # another loss may call anything its weight
    one_each = hasattr(weights, '__len__') and not isinstance(weights, str) and getattr(weights, 'ndim', 1) == 1
    if one_each and len(weights) != num_classes:
        raise ValueError(f'the base loss {type(loss).__name__} has {len(weights)} class weights, the classifier '
                         f'{num_classes} classes: give one weight for each')
