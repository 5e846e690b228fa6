"""Calls of the base losses that ISDA augments, of plain torch, MMSegmentation and MMPretrain."""
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core.averaging import Averaging
from isda_seg.core.functional import cross_entropy
from isda_seg.core.ops.device import constant
from isda_seg.core.ops.labels import LABEL_DTYPES
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.soft_targets import soft_cross_entropy

MMSEG_CROSS_ENTROPY = 'mmseg.models.losses.cross_entropy_loss'
SMALLEST = torch.finfo(torch.float32).eps  # MMSegmentation's least sum of class weights


class MeanCrossEntropy(nn.Module):
    """Mean cross-entropy over labelled samples; 0 without labelled samples."""

    softmax = True

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Return the scalar loss of logits (N, C, ...) and labels (N, ...) or probabilities (N, C, ...)."""
        return cross_entropy(logits, labels, ignore_index=ignore_index)


@cache
def parameters(forward: Callable[..., Tensor]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of the ``forward`` method of a class of losses, without ``self``."""
    return dict(list(inspect.signature(forward).parameters.items())[1:])


def _takes_all(loss: nn.Module) -> bool:
    return any(known.kind is inspect.Parameter.VAR_KEYWORD for known in parameters(type(loss).forward).values())


def ignore_index_of(loss: nn.Module) -> int:
    """Return the default ignore index of a loss."""
    own = getattr(loss, 'ignore_label', getattr(loss, 'ignore_index', None))
    return -100 if own is None else int(own)


def check_call(loss: nn.Module, logits: Any, ignore_index: int, kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError for logits that are not a tensor, a keyword or an ignore index that the loss does not accept."""
    if not isinstance(logits, Tensor):
        raise ValueError(f'logits must be a tensor, got {type(logits).__name__}: pass the logits in it, such as '
                         "output.logits or output['out']")
    known = parameters(type(loss).forward)
    refused = [] if _takes_all(loss) else [key for key in kwargs if key not in known]
    if refused:
        raise ValueError(f'the base loss {type(loss).__name__} does not accept {refused}, passed by the head or its '
                         f'pixel sampler. It accepts {list(known)}: use another base, or no sampler')
    own = getattr(loss, 'ignore_label', getattr(loss, 'ignore_index', None))
    if 'ignore_index' not in known and own not in (None, ignore_index):
        raise ValueError(f'the base loss ignores label {own}, the ISDA loss was called with '
                         f'ignore_index={ignore_index}: set both to the same label')


def value(loss: nn.Module, logits: Tensor, labels: Tensor, ignore_index: int, kwargs: Mapping[str, Any],
          factor: float = 1.0) -> Tensor:
    """Return ``factor`` times the loss of int64 labels, and 0 for OHEM without selected pixels."""
    known = parameters(type(loss).forward)
    labels = labels.long() if getattr(labels, 'dtype', None) in LABEL_DTYPES else labels
    if 'ignore_index' in known or _takes_all(loss):
        kwargs = dict(kwargs, ignore_index=ignore_index)
    with _in_dtype(loss, logits.dtype):
        result: Tensor = loss(logits, labels, **kwargs)
    ohem = any(kind.__name__ == 'OhemCrossEntropy' for kind in type(loss).__mro__)
    if ohem and not bool(result.isfinite() & result.requires_grad):
        return logits.sum() * 0  # MMSegmentation returns the mean of an empty tensor, or a constant
    return result if factor == 1.0 else factor * result


@contextmanager
def _in_dtype(loss: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """Give a loss its half-precision tensors in the wider dtype of the augmented logits, for one call.

    Casting a model casts the class weights of its losses too, and ``F.cross_entropy`` needs them in the logits' dtype.
    """
    places: list[dict[str, Any]] = [place for part in loss.modules()
                                    for place in (part._parameters, part._buffers, part.__dict__)]
    wider = [(place, name, tensor, tensor.to(dtype)) for place in places for name, tensor in place.items()
             if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.dtype.itemsize < dtype.itemsize]
    for place, name, _, tensor in wider:
        place[name] = tensor
    try:
        yield
    except RuntimeError as error:
        if 'scalar type' not in str(error):
            raise
        raise RuntimeError(f'{error}: {type(loss).__name__} got logits in {dtype}, because ISDA augments them in this '
                           'precision. Create its tensors with logits.new_tensor') from error
    finally:
        for place, name, tensor, temporary in wider:
            if place.get(name) is temporary:  # not replaced by the loss
                place[name] = tensor


def labels_for_base(loss: nn.Module, labels: Tensor, ignored: int, ignore_index: int) -> tuple[Tensor, int]:
    """Return labels, whose ignore index is ``ignored``, with that of a base loss that may support only its own one."""
    if ignored == ignore_index or type(loss) is MeanCrossEntropy:
        return labels, ignored
    return torch.where(labels == ignored, constant(ignore_index, (), torch.int64, labels.device), labels), ignore_index


def averaging_of(loss: Any, labels: Tensor, kwargs: Mapping[str, Any], factor: float = 1.0) -> Averaging | None:
    """Return how ``factor`` times the loss averages the cross-entropies of pixels; None if this is not known.

    The cross-entropy of MMSegmentation is a mean over all pixels, or over labelled pixels with ``avg_non_ignore``.
    """
    kind = type(loss)
    if kwargs:
        return None
    if kind is MeanCrossEntropy:
        return Averaging() if factor == 1.0 else None
    if kind is nn.CrossEntropyLoss and loss.reduction in ('mean', 'sum') and not loss.label_smoothing:
        summed, weight = loss.reduction == 'sum', _class_weight(loss.weight, labels.device)
        return Averaging(1 if summed else None, float(factor), weight, not summed, least=0.0)
    if kind is SoftmaxFocalLoss and loss.gamma:
        weight = _class_weight(loss.class_weight, labels.device)
        return Averaging(None, float(factor * loss.loss_weight), weight, gamma=float(loss.gamma))
    if kind.__module__ != MMSEG_CROSS_ENTROPY or loss.reduction != 'mean' or not factor * loss.loss_weight:
        return None
    factor *= loss.loss_weight
    if loss.class_weight is None:
        return Averaging(None if loss.avg_non_ignore else max(1, labels.numel()), factor)
    weight = _class_weight(loss.class_weight, labels.device)
    return None if loss.avg_non_ignore else Averaging(None, factor, weight, by_weight=True, least=SMALLEST)


def _class_weight(values: Any, device: torch.device) -> Tensor | None:
    """Return class weights on a device, without a copy in every step."""
    if values is None or isinstance(values, Tensor) and values.device == device:
        return values if values is None else values.contiguous()
    return _cached_class_weight(tuple(values.tolist() if isinstance(values, Tensor) else map(float, values)), device)


@lru_cache(maxsize=32)
def _cached_class_weight(values: tuple[float, ...], device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(values, device=device)


def soft_value(loss: nn.Module, logits: Tensor, targets: Tensor, weight: Tensor, covariance: Tensor, strength: float, *,
               samples: int | None, grid: Grid | None, background: int | None, adjustment: Tensor | None,
               factor: float) -> Tensor:
    """Return ``factor`` times the ISDA loss of class probabilities (``soft_cross_entropy``) for a base loss."""
    torchs = type(loss) is nn.CrossEntropyLoss
    unsupported = (not (torchs or type(loss) is MeanCrossEntropy), torchs and ignore_index_of(loss) >= 0, samples,
                   background is not None, grid)
    if any(unsupported):
        names = (f'base={type(loss).__name__}', f'ignore_index={ignore_index_of(loss)} of the base loss',
                 f'samples={samples}', f'background={background}', "resolution='feature'")
        refused = [name for name, wrong in zip(names, unsupported, strict=True) if wrong]
        raise ValueError(f'class probabilities are not supported with {" and ".join(refused)}. Remove '
                         f'{"this setting" if len(refused) == 1 else "these settings"}, or pass class indices such as '
                         'labels.argmax(1)')
    options: dict[str, Any] = dict(class_weight=loss.weight, label_smoothing=loss.label_smoothing,
                                   reduction=loss.reduction) if torchs else {}
    return factor * soft_cross_entropy(logits, targets, weight, covariance, strength, adjustment=adjustment, **options)


def use_weighted_mean(loss: nn.Module) -> None:
    """Make MMSegmentation's cross-entropy with class weights divide by the weights of labelled pixels, in place.

    This is its default. Its option ``avg_non_ignore``, with the same meaning, raises an IndexError with class weights.
    """
    if type(loss).__module__ == MMSEG_CROSS_ENTROPY and loss.class_weight is not None:
        loss.__dict__['avg_non_ignore'] = False
