"""The kernels as operators of torch, so that a dispatch mode sees each launch and meta tensors have their shapes."""
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.library import Library

from isda_seg.core.kernels import loss as loss_kernels
from isda_seg.core.kernels import moments as moment_kernels
from isda_seg.core.kernels.tiles import PROGRAMS, LossTiles, power, share

LIBRARY = Library('isda_seg', 'DEF')
MOMENT_PIXELS, MOMENT_CHANNELS = 64, 32
CHECKED_CLASSES = 16  # classes that a program of grid_kernel verifies


def operator(schema: str, shapes: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a function as an operator with this schema; ``shapes`` allocates its results."""
    def register(launch: Callable[..., Any]) -> Callable[..., Any]:
        name = schema.partition('(')[0]

        def run(*args: Any) -> Any:
            results = shapes(*args)
            launch(results, *args)
            return results

        LIBRARY.define(schema)
        LIBRARY.impl(name, run, 'CompositeExplicitAutograd')
        LIBRARY.impl(name, shapes, 'Meta')
        found: Callable[..., Any] = getattr(torch.ops.isda_seg, name).default
        return found
    return register


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
    image, *around = place
    moment_kernels.grid_kernel[(tiles.tiles + len(checks),)](
        features, labels, index if rows is None else rows, index if columns is None else columns, weight,
        weight if bias is None else bias, logits, index, dropped, checks, tiles.tiles, tiles.per_image, pixels, width,
        channels, classes, ignore_index, feature[0], feature[1], feature[3], labels.stride(0), labels.stride(1),
        *weight.stride(), *logits.stride(), image, *around[:4], *shares, *around[4:], HAS_BIAS=bias is not None,
        SAME_SIZE=rows is None, PIXELS=32, CHANNELS=block, CLASSES=CHECKED_CLASSES, num_warps=4)


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
    moment_kernels.moments_kernel[(blocks, parts.programs)](
        features, index, *results, height * width, channels, classes, parts.tiles, parts.per_image, parts.per_program,
        feature[0], feature[1], feature[3], PIXELS=MOMENT_PIXELS, CHANNELS=MOMENT_CHANNELS,
        CLASSES=min(64, power(classes)), num_warps=4)


def _merge_shapes(counts: Tensor, origins: Tensor, means: Tensor, squares: Tensor, count: Tensor, mean: Tensor,
                  covariance: Tensor, weight: Tensor, *_: float) -> tuple[Tensor, ...]:
    return (torch.empty_like(count), torch.empty_like(mean), torch.empty_like(covariance),
            covariance.new_empty(len(weight), len(weight)))


@operator('merge(Tensor counts, Tensor origins, Tensor means, Tensor squares, Tensor count, Tensor mean, '
          'Tensor covariance, Tensor weight, float half, float tau) -> (Tensor, Tensor, Tensor, Tensor)', _merge_shapes)
def merge(results: tuple[Tensor, ...], counts: Tensor, origins: Tensor, means: Tensor, squares: Tensor,
          count: Tensor, mean: Tensor, covariance: Tensor, weight: Tensor, half: float, tau: float) -> None:
    """Run ``merge_kernel``: the merged moments, and rows (C, C) of the table."""
    classes, channels = weight.shape
    moment_kernels.merge_kernel[(classes,)](
        counts, origins, means, squares, len(counts), counts.shape[1], count, mean, covariance, *results[:3], weight,
        results[3], *weight.stride(), half, tau, channels, classes, CHANNELS=min(64, power(channels)),
        CLASSES=min(64, power(classes)), SPLITS=power(len(counts)), num_warps=4)


def _loss_shapes(logits: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    both = logits.new_empty(2, dtype=torch.float32)
    return both[0], both[1]


@operator('loss(Tensor logits, Tensor labels, Tensor rows, Tensor checks, Tensor(a!) extremes, Tensor(b!) worst, '
          'Tensor(c!) arrived, int ignore_index, int? number, float factor, float allowed, int weight_size) '
          '-> (Tensor, Tensor)', _loss_shapes)
def loss(results: tuple[Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor, checks: Tensor,
         extremes: Tensor, worst: Tensor, arrived: Tensor, ignore_index: int, number: int | None, factor: float,
         allowed: float, weight_size: int) -> None:
    """Run ``loss_kernel`` on logits (N, C, P) and labels (N, P): the loss, and the factor of each pixel in it."""
    images, classes, pixels = logits.shape
    tiles = _loss_tiles(logits)
    programs = tiles.share.programs
    sums, numbers = logits.new_empty(programs, dtype=torch.float32), labels.new_empty(programs, dtype=torch.int32)
    loss_kernels.loss_kernel[(programs,)](
        logits, labels, rows, *results, sums, numbers, extremes, worst, arrived, checks, pixels, classes,
        tiles.share.tiles, tiles.share.per_image, tiles.share.per_program, ignore_index, factor / (number or 1),
        allowed, len(checks), float(weight_size), *logits.stride(), labels.stride(0), MEAN_OF_LABELLED=number is None,
        PIXELS=tiles.pixels, CLASSES=tiles.classes, PROGRAMS=power(programs), CHECKS=power(len(checks)),
        num_warps=tiles.warps)


def _loss_tiles(logits: Tensor) -> LossTiles:
    images, classes, pixels = logits.shape
    return LossTiles.of(images, pixels, classes, logits.stride(1) == 1 and pixels > 1)


def _gradient_shapes(logits: Tensor, labels: Tensor, *_: Any) -> tuple[Tensor, Tensor, Tensor]:
    classes, programs = logits.shape[1], _loss_tiles(logits).share.programs
    return (torch.empty_like(logits), logits.new_empty(programs, classes, classes, dtype=torch.float32),
            logits.new_empty(programs, classes, dtype=torch.int32))


@operator('gradient(Tensor logits, Tensor labels, Tensor rows, Tensor grad_output, Tensor scale, int ignore_index) '
          '-> (Tensor, Tensor, Tensor)', _gradient_shapes)
def gradient(results: tuple[Tensor, Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor, grad_output: Tensor,
             scale: Tensor, ignore_index: int) -> None:
    """Run ``gradient_kernel``: the logits' gradient, and for each program its sums over the pixels of each class."""
    images, classes, pixels = logits.shape
    tiles = _loss_tiles(logits)
    loss_kernels.gradient_kernel[(tiles.share.programs,)](
        logits, labels, rows, grad_output, scale, *results, pixels, classes, tiles.share.tiles, tiles.share.per_image,
        tiles.share.per_program, ignore_index, *logits.stride(), *results[0].stride(), labels.stride(0),
        PIXELS=tiles.pixels, CLASSES=tiles.classes, num_warps=tiles.warps)


@operator('sum_programs(Tensor sums, Tensor present) -> Tensor', lambda sums, present: torch.empty_like(sums[0]))
def sum_programs(total: Tensor, sums: Tensor, present: Tensor) -> None:
    """Run ``sum_kernel``: the gradient (C, C) with respect to the rows."""
    programs, classes, _ = sums.shape
    block = min(64, power(classes))
    loss_kernels.sum_kernel[(classes, -(-classes // block))](
        sums, present, total, programs, classes, PROGRAMS=2048 // block, CLASSES=block, num_warps=4)


@operator('weight_gradient(Tensor row_gradient, Tensor weight, Tensor covariance, float strength) -> Tensor',
          lambda row_gradient, weight, covariance, strength: torch.empty_like(weight))
def weight_gradient(result: Tensor, row_gradient: Tensor, weight: Tensor, covariance: Tensor, strength: float) -> None:
    """Run ``weight_gradient_kernel``: the gradient with respect to the classifier's weight (C, A)."""
    classes, channels = weight.shape
    moment_kernels.weight_gradient_kernel[(-(-channels // 32), -(-classes // 32))](
        row_gradient, weight, covariance, result, *weight.stride(), strength, channels, classes, CHANNELS=32,
        CLASSES=32, num_warps=4)
