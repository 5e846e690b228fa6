"""Class-conditional mean and covariance as a value with a Welford/Chan parallel merge (Eqs. 1-3)."""
from functools import reduce
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.core.ops.checks import check_choice, check_features
from isda_seg.core.ops.class_matrices import class_matrices, update_full_in_place
from isda_seg.core.ops.device import constant, on_cpu
from isda_seg.core.ops.labels import class_index, labelled, per_image
from isda_seg.core.ops.precision import at_least_float32, full_precision
from isda_seg.core.ops.weighted_moments import positive, weighted_moments

COVARIANCES = ('diagonal', 'full', 'shared', 'identity')
CHUNK = 2048  # samples processed at once, so that they stay in the cache of a CPU


class ClassMoments(NamedTuple):
    """Sample count, mean and population covariance of each class."""
    count: Tensor       # type: ignore[assignment]  # (C,) int64, or float64 after class probabilities; hides tuple.count
    mean: Tensor        # (C, A), 0 for a class never seen
    covariance: Tensor  # (C, A) diagonal | (C, A, A) full | (1, A, A) shared | (1, A) identity


def check_covariance(covariance: str) -> str:
    """Return ``covariance``; ValueError unless it is one of the four kinds of Table 8."""
    return check_choice(covariance, COVARIANCES, 'covariance')


def empty_moments(num_classes: int, channels: int, covariance: str, dtype: torch.dtype = torch.float32,
                  device: torch.device | str | None = None) -> ClassMoments:
    """Return the moments of zero samples, the neutral element of ``merge``."""
    shape = {'diagonal': (num_classes, channels), 'full': (num_classes, channels, channels),
             'shared': (1, channels, channels), 'identity': (1, channels)}[check_covariance(covariance)]
    fill = torch.ones if covariance == 'identity' else torch.zeros
    return ClassMoments(torch.zeros(num_classes, dtype=torch.int64, device=device),
                        torch.zeros(num_classes, channels, dtype=dtype, device=device),
                        fill(shape, dtype=dtype, device=device))


def class_moments(features: Tensor, labels: Tensor, num_classes: int, *, covariance: str = 'diagonal',
                  ignore_index: int | None = None) -> ClassMoments:
    """Return count, mean and population covariance of every class in one batch (the primed terms of Eqs. 1-3).

    Args:
        features: (N, A) or (B, A, ...).
        labels: (N,) or (B, ...) integers in 0..num_classes-1 or ``ignore_index``; or class probabilities (N, C) or
            (B, C, ...), floating-point numbers that weight the samples (``weighted_moments``).
        num_classes: C.
        covariance: 'diagonal', 'full', 'shared' (all labelled features about their common mean) or 'identity'.
        ignore_index: samples with this label do not count, nor does a sample with a non-finite feature.

    Raises:
        ValueError: shapes that do not fit, an unknown covariance, a label outside the classes (on a CPU).
    """
    check_covariance(covariance)
    labels = check_features(features, labels, num_classes, ignore_index)
    return batch_moments(features, labels, num_classes, covariance, ignore_index)[0]


@torch.no_grad()
def batch_moments(features: Tensor, labels: Tensor, num_classes: int, kind: str,
                  ignore_index: int | None) -> tuple[ClassMoments, Tensor]:
    """Compute ``class_moments`` for checked arguments, and the number of samples dropped as non-finite."""
    if labels.is_floating_point():
        *fields, dropped = weighted_moments(features, labels, kind)
        return ClassMoments(*fields), dropped
    if not on_cpu(features):
        return _whole_moments(features, labels, num_classes, kind, ignore_index)
    dtype = at_least_float32(features)
    empty = empty_moments(num_classes, features.shape[1], kind, dtype, features.device)
    if kind == 'full':
        return empty, update_full_in_place(empty, features, labels, ignore_index)
    classes, total = torch.arange(num_classes, device=labels.device), None
    with full_precision(features.device.type):
        for rows, row_labels in per_image(features, labels):
            for x, y in zip(torch.split(rows, CHUNK), torch.split(row_labels, CHUNK), strict=True):
                member = (y[:, None] == classes) & labelled(y, ignore_index)[:, None]
                chunk = _chunk_moments(x.to(dtype), member, kind)
                total = chunk if total is None else merge(total, chunk)
    total = total or empty
    return total, labelled(labels, ignore_index).sum() - total.count.sum()


def _chunk_moments(x: Tensor, member: Tensor, kind: str) -> ClassMoments:
    """Return two-pass moments of samples x (n, A) with class memberships (n, C): means, then centred squares."""
    finite = x.sum(1).isfinite()
    if not bool(finite.all()):
        x = torch.where(finite[:, None], x, 0)
        member = member & finite[:, None]
    count = member.sum(0)
    one_hot = member.to(x.dtype)
    divisor = count.clamp(min=1).to(x.dtype)
    mean = one_hot.t() @ x / divisor[:, None]
    if kind == 'identity':
        return ClassMoments(count, mean, x.new_ones(1, x.shape[1]))
    if kind == 'shared':
        total = count.sum().clamp(min=1).to(x.dtype)
        common = count.to(x.dtype) @ mean / total
        centred = (x - common) * one_hot.sum(1, keepdim=True)
        return ClassMoments(count, mean, (centred.t() @ centred / total)[None])
    # Subtract in the memory layout of the features: sample-major rows or channel-major columns.
    centred = x - one_hot @ mean if x.stride(1) == 1 else (x.t() - mean.t() @ one_hot.t()).t()
    return ClassMoments(count, mean, one_hot.t() @ centred.square() / divisor[:, None])


def _whole_moments(features: Tensor, labels: Tensor, num_classes: int, kind: str,
                   ignore_index: int | None) -> tuple[ClassMoments, Tensor]:
    """Compute ``batch_moments`` on an accelerator: all samples at once, few kernel launches, no synchronisation."""
    dtype = at_least_float32(features)
    with full_precision(features.device.type):
        pixels = features.flatten(2) if features.dim() > 2 else features.t()[None]  # (N, A, P)
        bad = (pixels.sum(dim=1, dtype=dtype) * 0).ne(0)                            # NaN times 0 is NaN
        x = torch.empty(pixels.shape[1], len(pixels), pixels.shape[2], dtype=dtype, device=features.device)
        zero = constant(0, (1,), dtype, x.device)  # one-dimensional, so that half-precision features are promoted
        x = torch.where(bad, zero, pixels.movedim(1, 0), out=x).flatten(1)          # (A, N)
        # Two more rows follow the classes: labelled but not finite, and not labelled.
        class_of = class_index(labels, num_classes, ignore_index).reshape(bad.shape)
        class_of = torch.where(bad, class_of.clamp(min=num_classes), class_of).flatten()
        one_hot = x.new_zeros(num_classes + 2, len(class_of)).scatter_(0, class_of[None], 1.0)
        counts = one_hot.sum(dim=1, dtype=torch.int64)
        count, member = counts[:num_classes], one_hot[:num_classes]
        share = member / count.clamp(min=1)[:, None]
        mean = share @ x.t()
        if kind == 'identity':
            covariance = x.new_ones(1, len(x))
        elif kind == 'shared':
            member = member.sum(dim=0)
            centred = (x - (x @ member / member.sum().clamp(min=1))[:, None]) * member
            covariance = (centred @ centred.t() / member.sum().clamp(min=1))[None]
        else:
            centred = torch.addmm(x, mean.t(), member, alpha=-1)
            covariance = share @ centred.square_().t() if kind == 'diagonal' else \
                class_matrices(centred, class_of, counts, num_classes)
    return ClassMoments(count, mean, covariance), counts[num_classes]


def merge(*moments: ClassMoments) -> ClassMoments:
    """Return the exact moments of the union of disjoint samples, by the Welford/Chan parallel update (Eqs. 1-3).

    Parts without samples change nothing. To merge thousands of batches one by one, use ``ClassStatistics`` or a float64
    mean: a float32 mean far from zero rounds off the small increments of late batches.

    Raises:
        ValueError: no argument, or parts of different shapes.
    """
    if not moments:
        raise ValueError('merge needs at least one ClassMoments, got none')
    shapes = {tuple(tuple(field.shape) for field in part) for part in moments}
    if len(shapes) > 1:
        raise ValueError('merge needs moments with the same classes, channels and kind of covariance, got the shapes '
                         f'{sorted(shapes)}')
    return reduce(_merge, moments)


def _merge(a: ClassMoments, b: ClassMoments) -> ClassMoments:
    wide, dtype = at_least_float32(a.mean, b.mean), at_least_float32(a.covariance, b.covariance)
    a, b = (ClassMoments(part.count, part.mean.to(wide), part.covariance.to(dtype)) for part in (a, b))
    count = a.count + b.count                                                 # Eq. 3
    share = _share(b.count, count, wide)[:, None]
    mean, delta = torch.lerp(a.mean, b.mean, share), b.mean - a.mean          # Eq. 1
    if a.covariance.dim() == 2 and len(a.covariance) < len(count):  # identity: not estimated
        return ClassMoments(count, mean, a.covariance)
    if len(a.covariance) < len(count):  # shared
        share = _share(b.count.sum(), count.sum(), wide)[None, None]
        delta = (common_mean(b) - common_mean(a))[None]
    covariance = _merge_covariance(a.covariance, b.covariance, share.to(dtype), delta.to(dtype))  # Eq. 2
    return ClassMoments(count, mean, covariance)


def _merge_covariance(a: Tensor, b: Tensor, share: Tensor, delta: Tensor) -> Tensor:
    """Return the merged covariance: the weighted mean of both, plus the term of the difference of means (Eq. 2).

    The interpolation ``a + share (b - a)`` rounds a once. The form ``(1 - share) a + share b`` drifts over many steps.
    """
    weighted = torch.addcmul(delta, share, delta, value=-1)
    if a.dim() == 2:
        return torch.lerp(a, torch.addcmul(b, weighted, delta), share)
    return torch.lerp(a, torch.addcmul(b, weighted[:, :, None], delta[:, None, :]), share[:, :, None])


def _share(part: Tensor, whole: Tensor, dtype: torch.dtype) -> Tensor:
    """Return ``part / whole``, and 0 where ``whole`` is 0."""
    part = part if dtype == torch.get_default_dtype() or part.is_floating_point() else part.to(dtype)
    return (part / positive(whole)).to(dtype)


def common_mean(moments: ClassMoments) -> Tensor:
    """Return the mean of all samples, (A,)."""
    share = _share(moments.count, moments.count.sum(), moments.mean.dtype)
    return (share[:, None] * moments.mean).sum(dim=0)


@torch.no_grad()
def update_in_place(moments: ClassMoments, features: Tensor, labels: Tensor, ignore_index: int | None) -> Tensor:
    """Merge a small batch into diagonal or full ``moments`` in place on a CPU, as ``merge`` does (Eqs. 1-3).

    Only moments of classes in the batch are read and changed. Features are (N, A), or (B, A, H, W) for full moments,
    with checked int64 labels (N,) or (B, H, W). Returns the number of labelled samples dropped as non-finite.
    """
    if moments.covariance.dim() == 3:
        return update_full_in_place(moments, features, labels, ignore_index)
    valid = labelled(labels, ignore_index)
    classes, labels = torch.unique(labels[valid], return_inverse=True)
    batch, dropped = batch_moments(features[valid], labels, len(classes), 'diagonal', None)
    merged = merge(ClassMoments(*(field[classes] for field in moments)), batch)
    for field, value in zip(moments, merged, strict=True):
        field[classes] = value.to(field.dtype)
    return dropped
