"""Checks of shapes, dtypes and labels, shared by the functions of ``core``."""
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.ops.device import on_cpu
from isda_seg.core.ops.labels import LABEL_DTYPES, is_soft, outside


def check_choice(value: str, choices: Sequence[str], name: str) -> str:
    """Return ``value``; ValueError unless it is one of ``choices``."""
    if value not in choices:
        raise ValueError(f'Unknown {name} {value!r}. Choose one of {", ".join(map(repr, choices))}')
    return value


def listed(names: Iterable[object], most: int) -> str:
    """Return the first ``most`` names as text, followed by 'and N more' if there are others."""
    names = list(names)
    return ', '.join(map(str, names[:most])) + (f' and {len(names) - most} more' if len(names) > most else '')


def check_labels(labels: Tensor, num_classes: int, ignore_index: int | None,
                 sources: Sequence[str] | None = None) -> Tensor:
    """Return the labels as int64. On a CPU, raise ValueError for one that is neither a class nor ``ignore_index``.

    ``sources`` are the files of the entries of the first dimension, for the error message.
    """
    check_tensor(labels)
    if labels.dtype not in LABEL_DTYPES:
        kind = 'must be integers, got' if labels.is_floating_point() else 'have the unsupported dtype'
        raise ValueError(f'labels {kind} {labels.dtype}: convert class indices with labels.long()')
    labels = labels.long()
    if not on_cpu(labels) or labels.numel() == 0:
        return labels
    lowest, highest = (int(x) for x in labels.aminmax())
    if lowest >= 0 and highest < num_classes:
        return labels
    bad = outside(labels, num_classes, ignore_index)
    if bool(bad.any()):
        first = int(bad.flatten(1).any(dim=1).nonzero()[0]) if labels.dim() > 1 else int(bad.nonzero()[0])
        where = f' in {sources[first]}' if sources is not None and len(sources) == len(labels) else ''
        raise ValueError(f'label {int(labels[bad][0])}{where} is neither one of the {num_classes} classes '
                         f'(0..{num_classes - 1}) nor the ignore index ({ignore_index}): correct the labels or '
                         'num_classes')
    return labels


def check_tensor(labels: object) -> None:
    """Raise ValueError for labels that are not a tensor."""
    if not isinstance(labels, Tensor):
        remedy = 'pass the class index of each sample' if labels is None else 'convert them with torch.as_tensor'
        raise ValueError(f'labels must be a tensor, got {type(labels).__name__}: {remedy}')


def check_logits(logits: Tensor, labels: Tensor, ignore_index: int | None,
                 sources: Sequence[str] | None = None) -> Tensor:
    """Check that logits (N, C, ...) and labels (N, ...) agree in shape, then return ``check_labels`` of the labels."""
    check_tensor(labels)
    if logits.dim() < 2 or logits.shape[:1] + logits.shape[2:] != labels.shape:
        remedy = ''
        if is_soft(logits, labels):
            remedy = ': class probabilities have several rows of the table, use isda_cross_entropy'
        elif labels.shape == logits.shape:
            remedy = ': convert class probabilities with labels.float(), or pass indices such as labels.argmax(1)'
        elif labels.shape[1:2] == (1,) != logits.shape[2:]:
            remedy = ': remove the channel with labels.squeeze(1)'
        raise ValueError(f'logits (N, C, ...) and labels (N, ...) must agree, got {tuple(logits.shape)} '
                         f'and {tuple(labels.shape)}{remedy}')
    return check_labels(labels, logits.shape[1], ignore_index, sources)


def improper(targets: Tensor) -> Tensor:
    """Return whether a class probability is negative or not finite, a scalar tensor."""
    return ~((targets >= 0) & (targets < torch.inf)).all()


def raise_improper(found: Tensor | bool) -> None:
    """Raise ValueError if the result of ``improper`` is true. Synchronises."""
    if found:
        raise ValueError('class probabilities must be finite and at least 0, some are not: pass the softmax(1) of '
                         'logits, and the relu() of interpolated probabilities')


def check_classes(logits: Tensor, weight: Tensor) -> None:
    """Raise ValueError unless logits (N, C, ...) have as many classes as weight (C, A)."""
    if logits.shape[1] != len(weight):
        raise ValueError(f'logits must have shape (N, {len(weight)}{", ..." if logits.dim() > 2 else ""}), got '
                         f'{tuple(logits.shape)}')


def check_pair(weight: Tensor, covariance: Tensor) -> None:
    """Raise ValueError unless weight (C, A) fits covariance ((C or 1), A) or ((C or 1), A, A)."""
    if weight.dim() != 2:
        raise ValueError(f'weight must have shape (C, A), got {tuple(weight.shape)}')
    classes, channels = weight.shape
    shape = tuple(covariance.shape)
    if covariance.dim() not in (2, 3) or shape[0] not in (1, classes) or set(shape[1:]) != {channels}:
        raise ValueError(f'covariance must have shape ({classes} or 1, {channels}) or ({classes} or 1, {channels}, '
                         f'{channels}) for a weight of shape {tuple(weight.shape)}, got {shape}')


def check_features(features: Any, labels: Tensor, num_classes: int, ignore_index: int | None,
                   checked: bool = False) -> Tensor:
    """Check that each of the features (N, A, ...) has a label (N, ...) or probabilities (N, C, ...).

    Return ``check_labels`` of labels that are not ``checked``; class probabilities as they are.
    """
    check_tensor(labels)
    soft = labels.is_floating_point() and labels.shape[1:2] == (num_classes,)
    shape = labels.shape[:1] + labels.shape[2:] if soft else labels.shape
    if features.dim() < 2 or features.shape[:1] + features.shape[2:] != shape:
        raise ValueError(f'features (N, A, ...) and labels (N, ...) must agree, got {tuple(features.shape)} '
                         f'and {tuple(labels.shape)}')
    if soft and not checked and on_cpu(labels):
        raise_improper(improper(labels))
    return labels if soft or checked else check_labels(labels, num_classes, ignore_index)
