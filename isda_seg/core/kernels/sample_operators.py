"""Operators of samples: running moments in place, table rows of the labels, and the weight's gradient."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.kernels import full as full_kernels
from isda_seg.core.kernels import samples as sample_kernels
from isda_seg.core.kernels.launch import Kernel, operator
from isda_seg.core.ops.torch_versions import changed_in_place

_update, _count, _rows, _own_gradient, _weight_gradient = map(Kernel, (
    sample_kernels.update_kernel, sample_kernels.count_kernel, sample_kernels.rows_kernel,
    sample_kernels.own_gradient_kernel, sample_kernels.samples_weight_gradient_kernel))
_update_full, _full_rows = Kernel(full_kernels.update_full_kernel), Kernel(full_kernels.full_rows_kernel)


@operator('update(Tensor features, Tensor index, Tensor count, Tensor(a!) mean, Tensor(b!) covariance) -> ()',
          lambda *_: None)
def update(_: None, features: Tensor, index: Tensor, count: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """Run ``update_kernel``: merge samples (N, A) with classes ``index`` (N,) into the moments of their classes.

    Moments change in place, but not ``count``, and full covariances only by ``update_full`` before. An index outside
    the classes does not count.
    """
    samples, channels = features.shape
    _update((samples, -(-channels // 128), 1), 4, (features, index, count, mean, covariance), (),
            (samples, channels, len(count), *features.stride()), (covariance.dim() == 2, 32, 128))
    changed_in_place(mean, covariance)


@operator('update_full(Tensor features, Tensor index, Tensor count, Tensor mean, Tensor(a!) covariance) -> ()',
          lambda *_: None)
def update_full(_: None, features: Tensor, index: Tensor, count: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """Run ``update_full_kernel``: merge samples into the full covariances of their classes, before ``update``."""
    samples, channels = features.shape
    blocks = -(-channels // 32)
    _update_full((samples, blocks, blocks), 4, (features, index, count, mean, covariance), (),
                 (samples, channels, len(count), *features.stride()), (32, 32))
    changed_in_place(covariance)


@operator('count_samples(Tensor index, Tensor(a!) count) -> ()', lambda *_: None)
def count_samples(_: None, index: Tensor, count: Tensor) -> None:
    """Run ``count_kernel``: add the samples to the counts of their classes, in place."""
    _count((-(-len(index) // 16), 1, 1), 4, (index, count), (), (len(index), len(count)), (16, 64))
    changed_in_place(count)


def _row_shapes(index: Tensor, count: Tensor | None, covariance: Tensor, weight: Tensor,
                *_: Any) -> tuple[Tensor, Tensor]:
    classes, channels = weight.shape
    kept = (len(index), classes, channels) if covariance.dim() == 3 else (len(index), channels)
    return covariance.new_empty(len(index), classes), covariance.new_empty(kept)


@operator('sample_rows(Tensor index, Tensor(a!)? count, Tensor covariance, Tensor weight, float half) '
          '-> (Tensor, Tensor)', _row_shapes)
def sample_rows(results: tuple[Tensor, Tensor], index: Tensor, count: Tensor | None, covariance: Tensor, weight: Tensor,
                half: float) -> None:
    """Compute table rows (N, C) of the labels, and what the weight's gradient needs.

    That is the variances of each label's class (N, A); with full covariances, the products ``S_y (w_c - w_y)``
    (N, C, A). With diagonal ones, it also adds the samples to ``count``.
    """
    (classes, channels), samples = weight.shape, len(index)
    if covariance.dim() == 3:
        _full_rows((samples, -(-classes // 32), 1), 4, (index, covariance, weight, *results), (half,),
                   (channels, classes, *weight.stride()), (32, 32))
        return
    _rows((-(-samples // 4), -(-classes // 32), 1), 4,
          (index, index if count is None else count, covariance, weight, *results), (half,),
          (samples, channels, classes, *weight.stride()), (count is not None, 4, 64, 32, 32))
    if count is not None:
        changed_in_place(count)


@operator('own_gradient(Tensor gradient, Tensor index, Tensor kept, Tensor weight) -> Tensor',
          lambda gradient, index, kept, weight: weight.new_empty(len(index), weight.shape[1], dtype=kept.dtype))
def own_gradient(result: Tensor, gradient: Tensor, index: Tensor, kept: Tensor, weight: Tensor) -> None:
    """Run ``own_gradient_kernel``: what the weight of each sample's label receives, (N, A)."""
    classes, channels = weight.shape
    _own_gradient((len(index), -(-channels // 64), 1), 4, (gradient, index, kept, weight, result), (),
                  (channels, classes, *weight.stride()), (kept.dim() == 3, 32, 64))


@operator('samples_weight_gradient(Tensor gradient, Tensor own, Tensor index, Tensor kept, Tensor weight, '
          'float strength) -> Tensor', lambda gradient, own, index, kept, weight, strength: torch.empty_like(weight))
def samples_weight_gradient(result: Tensor, gradient: Tensor, own: Tensor, index: Tensor, kept: Tensor, weight: Tensor,
                            strength: float) -> None:
    """Run ``samples_weight_gradient_kernel``: the gradient with respect to the classifier's weight (C, A)."""
    classes, channels = weight.shape
    _weight_gradient((-(-classes // 32), -(-channels // 32), 1), 4, (gradient, own, index, kept, weight, result),
                     (strength,), (len(index), channels, classes, *weight.stride()), (kept.dim() == 3, 32, 32))
