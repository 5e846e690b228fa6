"""The kernels as operators of torch, so that a dispatch mode sees each launch and meta tensors have their shapes."""
from collections.abc import Callable
from contextlib import nullcontext
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.library import Library

from isda_seg.core.kernels import loss as loss_kernels
from isda_seg.core.kernels import moments as moment_kernels
from isda_seg.core.kernels import samples as sample_kernels
from isda_seg.core.kernels.tiles import PROGRAMS, LossTiles, power, share
from isda_seg.core.ops.torch_versions import changed_in_place

LIBRARY = Library('isda_seg', 'DEF')
MOMENT_PIXELS, MOMENT_CHANNELS = 32, 32
CHECKED_CLASSES = 16  # classes that a program of grid_kernel verifies


def operator(schema: str, shapes: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register an operator for tensors without values; ``shapes`` allocates its results.

    Other tensors do not pass PyTorch's dispatcher, which takes more CPU time than a launch.
    """
    def register(launch: Callable[..., Any]) -> Callable[..., Any]:
        name = schema.partition('(')[0]
        LIBRARY.define(schema)
        LIBRARY.impl(name, shapes, 'Meta')
        dispatched = getattr(torch.ops.isda_seg, name).default

        @wraps(launch)
        def run(*args: Any) -> Any:
            if args[0].is_meta:
                return dispatched(*args)
            with torch.cuda.device(args[0].device) if args[0].is_cuda else nullcontext():  # Triton uses the current one
                results = shapes(*args)
                launch(results, *args)
            return results

        return run
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
    return (torch.empty_like(count), torch.empty_like(mean), torch.empty_like(covariance), torch.empty_like(covariance),
            covariance.new_empty(len(weight), len(weight)))


@operator('merge(Tensor counts, Tensor origins, Tensor means, Tensor squares, Tensor count, Tensor mean, '
          'Tensor covariance, Tensor weight, float half, float tau) -> '
          '(Tensor, Tensor, Tensor, Tensor, Tensor)', _merge_shapes)
def merge(results: tuple[Tensor, ...], counts: Tensor, origins: Tensor, means: Tensor, squares: Tensor,
          count: Tensor, mean: Tensor, covariance: Tensor, weight: Tensor, half: float, tau: float) -> None:
    """Run ``merge_kernel``: the merged moments, a copy of the covariance, and rows (C, C) of the table."""
    classes, channels = weight.shape
    moment_kernels.merge_kernel[(classes,)](
        counts, origins, means, squares, len(counts), counts.shape[1], count, mean, covariance, *results[:4], weight,
        results[4], *weight.stride(), half, tau, channels, classes, CHANNELS=min(64, power(channels)),
        CLASSES=min(64, power(classes)), SPLITS=power(len(counts)), num_warps=4)


def _loss_shapes(logits: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return logits.new_empty((), dtype=torch.float32), logits.new_empty((), dtype=torch.float32)


@operator('loss(Tensor logits, Tensor labels, Tensor rows, Tensor checks, Tensor(a!) extremes, Tensor(b!) worst, '
          'Tensor(c!) arrived, int ignore_index, int? number, float factor, float allowed, int weight_size, '
          'bool by_sample) '
          '-> (Tensor, Tensor)', _loss_shapes)
def loss(results: tuple[Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor, checks: Tensor,
         extremes: Tensor, worst: Tensor, arrived: Tensor, ignore_index: int, number: int | None, factor: float,
         allowed: float, weight_size: int, by_sample: bool) -> None:
    """Run ``loss_kernel`` on logits (N, C, P) and labels (N, P): the loss, and the factor of each pixel in it."""
    _, classes, pixels = logits.shape
    tiles = _loss_tiles(logits, by_sample)
    programs = tiles.share.programs
    sums, numbers = logits.new_empty(programs, dtype=torch.float32), labels.new_empty(programs, dtype=torch.int32)
    loss_kernels.loss_kernel[(programs,)](
        logits, labels, rows, *results, sums, numbers, extremes, worst, arrived, checks, pixels, classes,
        tiles.share.tiles, tiles.share.per_image, tiles.share.per_program, ignore_index, factor / (number or 1),
        allowed, len(checks), float(weight_size), *logits.stride(), labels.stride(0), MEAN_OF_LABELLED=number is None,
        BY_SAMPLE=by_sample, PIXELS=tiles.pixels, CLASSES=tiles.classes, PROGRAMS=power(programs),
        CHECKS=power(len(checks)), num_warps=tiles.warps)


def _loss_tiles(logits: Tensor, by_sample: bool) -> LossTiles:
    images, classes, pixels = logits.shape
    if by_sample:
        return LossTiles.of_samples(pixels, classes)
    return LossTiles.of(images, pixels, classes, logits.stride(1) == 1 and pixels > 1)


def _gradient_shapes(logits: Tensor, labels: Tensor, rows: Tensor, grad_output: Tensor, scale: Tensor,
                     ignore_index: int, by_sample: bool) -> tuple[Tensor, Tensor, Tensor]:
    if by_sample:
        return torch.empty_like(logits), torch.empty_like(rows), rows.new_empty(0, dtype=torch.int32)
    classes, programs = logits.shape[1], _loss_tiles(logits, False).share.programs
    return (torch.empty_like(logits), logits.new_empty(programs, classes, classes, dtype=torch.float32),
            logits.new_empty(programs, classes, dtype=torch.int32))


@operator('gradient(Tensor logits, Tensor labels, Tensor rows, Tensor grad_output, Tensor scale, int ignore_index, '
          'bool by_sample) -> (Tensor, Tensor, Tensor)', _gradient_shapes)
def gradient(results: tuple[Tensor, Tensor, Tensor], logits: Tensor, labels: Tensor, rows: Tensor, grad_output: Tensor,
             scale: Tensor, ignore_index: int, by_sample: bool) -> None:
    """Run ``gradient_kernel``: the logits' gradient, and for each program its sums over the pixels of each class."""
    images, classes, pixels = logits.shape
    tiles = _loss_tiles(logits, by_sample)
    loss_kernels.gradient_kernel[(tiles.share.programs,)](
        logits, labels, rows, grad_output, scale, *results, pixels, classes, tiles.share.tiles, tiles.share.per_image,
        tiles.share.per_program, ignore_index, *logits.stride(), *results[0].stride(), labels.stride(0),
        BY_SAMPLE=by_sample, PIXELS=tiles.pixels, CLASSES=tiles.classes, num_warps=tiles.warps)


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


@operator('update(Tensor features, Tensor index, Tensor count, Tensor(a!) mean, Tensor(b!) covariance) -> ()',
          lambda *_: None)
def update(_: None, features: Tensor, index: Tensor, count: Tensor, mean: Tensor, covariance: Tensor) -> None:
    """Run ``update_kernel``: moments of the classes of samples (N, A) in place, without their count."""
    samples, channels = features.shape
    sample_kernels.update_kernel[(samples, -(-channels // 128))](
        features, index, count, mean, covariance, samples, channels, len(count), *features.stride(), SAMPLES=32,
        CHANNELS=128, num_warps=4)
    changed_in_place(mean, covariance)


def _sample_row_shapes(index: Tensor, count: Tensor, covariance: Tensor, weight: Tensor,
                       *_: Any) -> tuple[Tensor, Tensor]:
    return covariance.new_empty(len(index), len(weight)), covariance.new_empty(len(index), weight.shape[1])


@operator('sample_rows(Tensor index, Tensor(a!) count, Tensor covariance, Tensor weight, float half) '
          '-> (Tensor, Tensor)', _sample_row_shapes)
def sample_rows(results: tuple[Tensor, Tensor], index: Tensor, count: Tensor, covariance: Tensor, weight: Tensor,
                half: float) -> None:
    """Run ``rows_kernel``: table rows (N, C) of the labels, and their variances (N, A); it counts the samples."""
    classes, channels = weight.shape
    sample_kernels.rows_kernel[(-(-len(index) // 4), -(-classes // 32))](
        index, count, covariance, weight, *results, *weight.stride(), half, len(index), channels, classes,
        SAMPLES=4, OTHERS=64, CLASSES=32, CHANNELS=32, num_warps=4)
    changed_in_place(count)


@operator('own_gradient(Tensor gradient, Tensor index, Tensor sigma, Tensor weight) -> Tensor',
          lambda gradient, index, sigma, weight: torch.empty_like(sigma))
def own_gradient(result: Tensor, gradient: Tensor, index: Tensor, sigma: Tensor, weight: Tensor) -> None:
    """Run ``own_gradient_kernel``: what the weight of each sample's label receives, (N, A)."""
    classes, channels = weight.shape
    sample_kernels.own_gradient_kernel[(len(index), -(-channels // 64))](
        gradient, index, sigma, weight, result, *weight.stride(), channels, classes, CLASSES=32, CHANNELS=64,
        num_warps=4)


@operator('samples_weight_gradient(Tensor gradient, Tensor own, Tensor index, Tensor sigma, Tensor weight, '
          'float strength) -> Tensor', lambda gradient, own, index, sigma, weight, strength: torch.empty_like(weight))
def samples_weight_gradient(result: Tensor, gradient: Tensor, own: Tensor, index: Tensor, sigma: Tensor, weight: Tensor,
                            strength: float) -> None:
    """Run ``samples_weight_gradient_kernel``: the gradient with respect to the classifier's weight (C, A)."""
    classes, channels = weight.shape
    sample_kernels.samples_weight_gradient_kernel[(-(-classes // 32), -(-channels // 32))](
        gradient, own, index, sigma, weight, result, *weight.stride(), strength, len(index), channels, classes,
        CLASSES=32, CHANNELS=32, num_warps=4)
