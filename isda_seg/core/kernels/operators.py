"""Operators of maps: labels on the grid, moments, table rows, cross-entropy, and their gradients."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.core.kernels import loss as loss_kernels
from isda_seg.core.kernels import moments as moment_kernels
from isda_seg.core.kernels import rows as row_kernels
from isda_seg.core.kernels.launch import Kernel, operator
from isda_seg.core.kernels.tiles import PROGRAMS, LossTiles, power, share

MOMENT_PIXELS, MOMENT_CHANNELS = 32, 32
CHECKED_CLASSES = 16  # classes that a program of grid_kernel verifies
_grid, _moments, _merge, _weight_gradient = map(Kernel, (
    moment_kernels.grid_kernel, moment_kernels.moments_kernel, moment_kernels.merge_kernel,
    moment_kernels.weight_gradient_kernel))
_loss, _gradient, _sum = map(Kernel, (loss_kernels.loss_kernel, loss_kernels.gradient_kernel, loss_kernels.sum_kernel))
_add_rows, _label_sums = Kernel(row_kernels.add_rows_kernel), Kernel(row_kernels.label_sums_kernel)


def _grid_shapes(features: Tensor, labels: Tensor, rows: Tensor | None, columns: Tensor | None, weight: Tensor,
                 *_: Any) -> tuple[Tensor, Tensor]:
    index = torch.empty(len(features), *features.shape[2:], dtype=torch.int32, device=features.device)
    return index, weight.new_empty(-(-len(weight) // CHECKED_CLASSES), 4, dtype=torch.float32)


@operator('grid(Tensor features, Tensor labels, Tensor? rows, Tensor? columns, Tensor weight, Tensor? bias, '
          'Tensor logits, Tensor(a!) dropped, int ignore_index, int[] place, float[] shares) -> (Tensor, Tensor)',
          _grid_shapes)
def grid(results: tuple[Tensor, Tensor], features: Tensor, labels: Tensor, rows: Tensor | None, columns: Tensor | None,
         weight: Tensor, bias: Tensor | None, logits: Tensor, dropped: Tensor, ignore_index: int, place: list[int],
         shares: list[float]) -> None:
    """Run ``grid_kernel``: the class index (B, h, w) of features (B, A, h, w), and the comparison at one position."""
    index, checks = results
    (images, channels, height, width), classes = features.shape, len(weight)
    pixels, block = height * width, min(64, power(channels))
    tiles = share(images, pixels, 32, 1)
    feature = features.stride()
    _grid((tiles.tiles + len(checks), 1, 1), 4,
          (features, labels, index if rows is None else rows, index if columns is None else columns, weight,
           weight if bias is None else bias, logits, index, dropped, checks),
          (tiles.tiles, tiles.per_image, pixels, width, *place[:5], *shares, *place[5:]),
          (channels, classes, ignore_index, feature[0], feature[1], feature[3], labels.stride(0), labels.stride(1),
           *weight.stride(), *logits.stride()),
          (bias is not None, rows is None, 32, block, CHECKED_CLASSES))


def _moment_shapes(features: Tensor, index: Tensor, classes: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, channels, height, width = features.shape
    blocks, parts = _moment_tiles(images, channels, height * width)
    values = features.new_empty(3, parts.programs, classes, channels, dtype=torch.float32)
    return index.new_empty(parts.programs, blocks, classes), values[0], values[1], values[2]


def _moment_tiles(images: int, channels: int, pixels: int) -> tuple[int, Any]:
    blocks = -(-channels // MOMENT_CHANNELS)
    return blocks, share(images, pixels, MOMENT_PIXELS, max(1, PROGRAMS // blocks))


@operator('split_moments(Tensor features, Tensor index, int classes) -> (Tensor, Tensor, Tensor, Tensor)',
          _moment_shapes)
def split_moments(results: tuple[Tensor, ...], features: Tensor, index: Tensor, classes: int) -> None:
    """Run ``moments_kernel``: counts (splits, blocks, C); origins, means, centred squares (splits, C, A) of a batch."""
    images, channels, height, width = features.shape
    blocks, parts = _moment_tiles(images, channels, height * width)
    feature = features.stride()
    _moments((blocks, parts.programs, 1), 4, (features, index, *results),
             (height * width, parts.tiles, parts.per_image, parts.per_program),
             (channels, classes, feature[0], feature[1], feature[3]),
             (MOMENT_PIXELS, MOMENT_CHANNELS, min(64, power(classes))))


def _merge_shapes(counts: Tensor, origins: Tensor, means: Tensor, squares: Tensor, count: Tensor, mean: Tensor,
                  covariance: Tensor, weight: Tensor, *_: float) -> tuple[Tensor, ...]:
    return (torch.empty_like(count), torch.empty_like(mean), torch.empty_like(covariance), torch.empty_like(covariance),
            covariance.new_empty(len(weight), len(weight)))


@operator('merge(Tensor counts, Tensor origins, Tensor means, Tensor squares, Tensor count, Tensor mean, '
          'Tensor covariance, Tensor weight, float half, float tau, int background) -> '
          '(Tensor, Tensor, Tensor, Tensor, Tensor)', _merge_shapes)
def merge(results: tuple[Tensor, ...], counts: Tensor, origins: Tensor, means: Tensor, squares: Tensor,
          count: Tensor, mean: Tensor, covariance: Tensor, weight: Tensor, half: float, tau: float,
          background: int) -> None:
    """Run ``merge_kernel``: the merged moments, a copy of the covariance, and rows (C, C) of the table."""
    (classes, channels), splits = weight.shape, power(len(counts))
    _merge((classes, 1, 1), 4, (counts, origins, means, squares, count, mean, covariance, weight, *results),
           (half, tau, len(counts), background), (counts.shape[1], channels, classes, *weight.stride()),
           (min(64, power(channels), max(4, 2048 // splits)), min(64, power(classes)), splits))


def _loss_shapes(logits: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return logits.new_empty((), dtype=torch.float32), logits.new_empty((), dtype=torch.float32)


@operator('loss(Tensor logits, Tensor labels, Tensor rows, Tensor? class_weight, Tensor checks, Tensor(a!) extremes, '
          'Tensor(b!) worst, Tensor(c!) arrived, int ignore_index, float factor, bool by_count, bool by_weight, '
          'float gamma, float least, float tolerance, int weight_size, bool by_sample) -> (Tensor, Tensor)',
          _loss_shapes)
def loss(results: tuple[Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor, class_weight: Tensor | None,
         checks: Tensor, extremes: Tensor, worst: Tensor, arrived: Tensor, ignore_index: int, factor: float,
         by_count: bool, by_weight: bool, gamma: float, least: float, tolerance: float, weight_size: int,
         by_sample: bool) -> None:
    """Run ``loss_kernel`` on logits (N, C, P) and labels (N, P): the loss, and the factor of each pixel in it."""
    _, classes, pixels = logits.shape
    tiles = _loss_tiles(logits, by_sample)
    programs, each = tiles.share.programs, tiles.share
    parts = logits.new_empty(2, -(-programs // 4) * 4, dtype=torch.float32)  # aligned
    _loss((programs, 1, 1), tiles.warps,
          (logits, labels, rows, rows if class_weight is None else class_weight, *results, parts, parts[1], extremes,
           worst, arrived, checks),
          (factor, tolerance, float(weight_size), gamma, least, pixels, each.tiles, each.per_image, each.per_program),
          (classes, ignore_index, len(checks), *logits.stride(), labels.stride(0)),
          (by_count, class_weight is not None, by_weight, gamma > 0, by_sample, tiles.pixels, tiles.classes,
           power(programs), power(len(checks))))


def _loss_tiles(logits: Tensor, by_sample: bool = False, weighted: bool = False) -> LossTiles:
    images, classes, pixels = logits.shape
    if by_sample:
        return LossTiles.of_samples(pixels, classes)
    return LossTiles.of(images, pixels, classes, logits.stride(1) == 1 and pixels > 1, weighted)


def _sums(logits: Tensor, weighted: bool = False) -> tuple[Tensor, Tensor]:
    classes, programs = logits.shape[1], _loss_tiles(logits, weighted=weighted).share.programs
    return (logits.new_empty(programs, classes, classes, dtype=torch.float32),
            logits.new_empty(programs, classes, dtype=torch.int32))


def _gradient_shapes(logits: Tensor, labels: Tensor, rows: Tensor, class_weight: Tensor | None, grad_output: Tensor,
                     scale: Tensor, ignore_index: int, gamma: float, by_sample: bool) -> tuple[Tensor, Tensor, Tensor]:
    if by_sample:
        return torch.empty_like(logits), torch.empty_like(rows), rows.new_empty(0, dtype=torch.int32)
    return torch.empty_like(logits), *_sums(logits, class_weight is not None or gamma > 0)


@operator('gradient(Tensor logits, Tensor labels, Tensor rows, Tensor? class_weight, Tensor grad_output, Tensor scale, '
          'int ignore_index, float gamma, bool by_sample) -> (Tensor, Tensor, Tensor)', _gradient_shapes)
def gradient(results: tuple[Tensor, Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor,
             class_weight: Tensor | None, grad_output: Tensor, scale: Tensor, ignore_index: int, gamma: float,
             by_sample: bool) -> None:
    """Run ``gradient_kernel``: the logits' gradient, and for each program its sums over the pixels of each class."""
    _, classes, pixels = logits.shape
    tiles = _loss_tiles(logits, by_sample, class_weight is not None or gamma > 0)
    each = tiles.share
    _gradient((each.programs, 1, 1), tiles.warps,
              (logits, labels, rows, rows if class_weight is None else class_weight, grad_output, scale, *results),
              (gamma, pixels, each.tiles, each.per_image, each.per_program),
              (classes, ignore_index, *logits.stride(), *results[0].stride(), labels.stride(0)),
              (class_weight is not None, gamma > 0, by_sample, tiles.pixels, tiles.classes))


@operator('sum_programs(Tensor sums, Tensor present) -> Tensor', lambda sums, present: torch.empty_like(sums[0]))
def sum_programs(total: Tensor, sums: Tensor, present: Tensor) -> None:
    """Run ``sum_kernel``: the gradient (C, C) with respect to the rows."""
    programs, classes, _ = sums.shape
    block = min(64, power(classes))
    _sum((classes, -(-classes // block), 1), 4, (sums, present, total), (programs,), (classes,), (2048 // block, block))


def _row_shapes(logits: Tensor, labels: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(logits, dtype=torch.float32), torch.empty(labels.shape, dtype=torch.int64,
                                                                      device=labels.device)


@operator('add_rows(Tensor logits, Tensor labels, Tensor rows, Tensor checks, Tensor(a!) extremes, Tensor(b!) worst, '
          'int ignore_index, float tolerance, int weight_size) -> (Tensor, Tensor)', _row_shapes)
def add_rows(results: tuple[Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor, checks: Tensor,
             extremes: Tensor, worst: Tensor, ignore_index: int, tolerance: float, weight_size: int) -> None:
    """Run ``add_rows_kernel``: logits (N, C, P) with the rows of their labels, and labels (N, P) without errors."""
    _, classes, pixels = logits.shape
    tiles = _loss_tiles(logits)
    _add_rows((tiles.share.tiles, 1, 1), tiles.warps, (logits, labels, rows, *results, extremes, worst, checks),
              (tolerance, float(weight_size), pixels, tiles.share.per_image),
              (classes, ignore_index, len(checks), *logits.stride(), *results[0].stride(), labels.stride(0)),
              (tiles.pixels, tiles.classes, power(len(checks))))


@operator('label_sums(Tensor values, Tensor labels, int ignore_index) -> (Tensor, Tensor)',
          lambda values, *_: _sums(values))
def label_sums(results: tuple[Tensor, Tensor], values: Tensor, labels: Tensor, ignore_index: int) -> None:
    """Run ``label_sums_kernel``: for each program its sums of values (N, C, P) over the pixels of each class."""
    _, classes, pixels = values.shape
    tiles = _loss_tiles(values)
    each = tiles.share
    _label_sums((each.programs, 1, 1), tiles.warps, (values, labels, *results),
                (pixels, each.tiles, each.per_image, each.per_program), (classes, ignore_index, *values.stride()),
                (tiles.pixels, tiles.classes))


@operator('weight_gradient(Tensor row_gradient, Tensor weight, Tensor covariance, float strength) -> Tensor',
          lambda row_gradient, weight, covariance, strength: torch.empty_like(weight))
def weight_gradient(result: Tensor, row_gradient: Tensor, weight: Tensor, covariance: Tensor, strength: float) -> None:
    """Run ``weight_gradient_kernel``: the gradient with respect to the classifier's weight (C, A)."""
    classes, channels = weight.shape
    _weight_gradient((-(-channels // 32), -(-classes // 32), 1), 4, (row_gradient, weight, covariance, result),
                     (strength,), (channels, classes, *weight.stride()), (32, 32))
