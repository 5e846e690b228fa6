"""Random cases against the oracle: each function draws a case from a seed and compares values and gradients.

A case covers shapes, also of empty batches, dtypes, memory layouts, label types, ignore indices, class probabilities,
reductions, class weights, backgrounds, resolutions, logit adjustment, covariance kinds and k x k classifiers.
`test_fuzz.py` runs them with a small budget.
"""

import importlib
import itertools
import math
import random
from contextlib import ExitStack
from fractions import Fraction
from unittest import mock

import reference
import torch
import torch.nn.functional as F
from helpers.problems import KINDS, covariance_of
from torch import nn

from isda_seg.attach import attach
from isda_seg.core import (
    ClassMoments,
    ClassStatistics,
    augment_logits,
    class_moments,
    isda_consistency,
    isda_cross_entropy,
    margin_variance,
    merge,
)
from isda_seg.criterion import ISDACriterion

IGNORED = (255, -1, -100, 0, 1, 99, -7)
LABEL_TYPES = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
BLOCKS = dict(one_hot='ops.one_hot.CHUNK', rows='ops.quadratic.CACHE_ELEMENTS',
              tile='ops.class_matrices.TILE', products='ops.class_matrices.PRODUCT_ELEMENTS',
              terms='consistency.MAX_TERMS', windows='windows.CACHE_ELEMENTS', chunk='moments.CHUNK',
              differences_cpu='margin.DIFFERENCES_CPU', differences='margin.DIFFERENCES')
TOLERANCE = {torch.float64: 2e-5, torch.float32: 5e-4, torch.bfloat16: 0.1}  # float64 features have float32 buffers


class Case:
    """Choices of one seed; `chosen` holds them by name for the message of a failure."""

    def __init__(self, seed):
        self.python, self.torch = random.Random(seed), torch.Generator().manual_seed(seed)
        self.chosen = {}

    def pick(self, name, *values):
        self.chosen[name] = self.python.choice(values)
        return self.chosen[name]

    def size(self, name, low, high):
        return self.pick(name, *range(low, high + 1))

    def normal(self, *shape, dtype=torch.float64):
        return torch.randn(shape, dtype=torch.float64, generator=self.torch).to(dtype)

    def laid_out(self, name, tensor):
        """The same values in another memory layout."""
        kind = self.pick(name, 'contiguous', 'transposed', 'strided', 'offset', 'channels_last')
        if kind == 'transposed' and tensor.dim() > 1:
            return tensor.transpose(0, -1).contiguous().transpose(0, -1)
        if kind == 'strided':
            return torch.stack([tensor, tensor], dim=-1)[..., 0]
        if kind == 'offset':
            return torch.cat([tensor[:1], tensor])[1:] if len(tensor) else tensor
        if kind == 'channels_last' and tensor.dim() == 4:
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor

    def small_blocks(self):
        """Half of the time, process data in tiny blocks, so that a small case has many of them."""
        stack = ExitStack()
        for name, path in BLOCKS.items() if self.pick('blocks', 'as they are', 'tiny') == 'tiny' else ():
            module, constant = path.rsplit('.', 1)
            stack.enter_context(mock.patch.object(importlib.import_module(f'isda_seg.core.{module}'), constant,
                                                  self.pick(name, 1, 3, 16, 64)))
        return stack

    def labels(self, shape, classes, ignored):
        """Labels in a random integer type that holds `ignored`, the label of some: (typed labels, int64 labels)."""
        kind = self.pick('label_type', *(one for one in LABEL_TYPES
                                         if torch.iinfo(one).min <= ignored <= torch.iinfo(one).max))
        labels = torch.randint(self.size('classes_present', 1, classes), shape, generator=self.torch)
        share = self.pick('ignored_share', 0.0, 0.2, 0.2, 0.9, 1.0)
        labels[torch.rand(shape, generator=self.torch) < share] = ignored
        return self.laid_out('label_layout', labels.to(kind)), labels


def check(name, found, expected, tolerance):
    """Compare with a tolerance relative to the largest expected entry."""
    found = torch.zeros_like(expected) if found is None else found.detach().double()  # no gradient is one of zeros
    expected = expected.detach().double()
    assert found.shape == expected.shape, f'{name}: shape {tuple(found.shape)}, expected {tuple(expected.shape)}'
    limit = tolerance * max(1.0, float(expected.abs().max()) if expected.numel() else 0.0)
    worst = float((found - expected).abs().max()) if found.numel() else 0.0
    assert worst <= limit, f'{name}: differs by {worst:.3g}, allowed {limit:.3g}'  # also for NaN


def check_gradients(case, found, expected, tolerance, **inputs):
    """Compare the gradients of a random linear combination of two results with respect to pairs of inputs."""
    cotangent = case.normal(*found.shape)
    found.backward(cotangent.to(found.dtype))
    if expected.requires_grad:  # not in an empty batch
        expected.backward(cotangent)
    for name, (typed, exact) in inputs.items():
        check(f'{name}.grad', typed.grad, torch.zeros_like(exact) if exact.grad is None else exact.grad, tolerance)


def grid_position(i, small, large, align_corners):
    """The pixel on which feature row i sits."""
    if align_corners:
        return 0 if small == 1 else math.floor(Fraction(i * (large - 1), small - 1) + Fraction(1, 2))
    return math.floor((i + Fraction(1, 2)) * Fraction(large, small))


def on_grid(labels, size, align_corners):
    for side, (small, large) in enumerate(zip(size, labels.shape[1:], strict=True), start=1):
        positions = torch.tensor([grid_position(i, small, large, align_corners) for i in range(small)])
        labels = labels.index_select(side, positions)
    return labels


def samples_of(maps):
    """(B, A, ...) as rows (N, A)."""
    return maps.movedim(1, -1).flatten(0, -2)


def of_kind(moments, kind, samples, labels, ignored):
    """The covariance of a kind, from full running moments; 'shared' from all samples of all batches."""
    if kind == 'identity':
        return torch.ones(1, moments[1].shape[1], dtype=torch.float64)
    if kind == 'shared':
        kept = samples[labels != ignored]
        return reference.shared_covariance(kept) if len(kept) else moments[2][:1] * 0
    return moments[2] if kind == 'full' else reference.diagonal(moments[2])


def draw_classifier(case, classes, dtype):
    """A classifier and the shape of its input."""
    images = case.size('images', 0, 3)
    kind = case.pick('classifier', 'linear', 'tokens', 'conv1d', 'conv3d', 'conv1x1', 'conv1x1', 'kxk', 'kxk')
    images = max(images, 1) if kind == 'tokens' else images  # an empty batch has no map of tokens
    channels, bias = case.size('channels', 1, 5), case.pick('bias', True, False)
    size = case.size('height', 2, 6), case.size('width', 2, 6)
    if kind in ('linear', 'tokens'):
        shape = (case.size('samples', 0, 40), channels) if kind == 'linear' else (images, *size, channels)
        return kind, nn.Linear(channels, classes, bias=bias, dtype=dtype), shape
    if kind == 'conv1d':
        return kind, nn.Conv1d(channels, classes, 1, bias=bias, dtype=dtype), (images, channels, size[0] * size[1])
    if kind == 'conv3d':
        return kind, nn.Conv3d(channels, classes, 1, bias=bias, dtype=dtype), (images, channels, 2, *size)
    if kind == 'conv1x1':
        return kind, nn.Conv2d(channels, classes, 1, bias=bias, dtype=dtype), (images, channels, *size)
    kernel = case.size('kernel_rows', 1, 3), case.size('kernel_columns', 1, 3)
    layer = nn.Conv2d(
        min(channels, 2), classes, kernel, bias=bias, dtype=dtype, dilation=case.size('dilation', 1, 2),
        padding=case.size('padding', 0, 1), stride=(case.size('stride_rows', 1, 2), case.size('stride_columns', 1, 2)),
        padding_mode=case.pick('padding_mode', 'zeros', 'reflect', 'replicate', 'circular'))
    return kind, layer, (images, min(channels, 2), size[0] + 3, size[1] + 3)


def windows(layer, features):
    """The rows that a convolution multiplies with its weight: (B, A k k, h, w)."""
    mode = 'constant' if layer.padding_mode == 'zeros' else layer.padding_mode
    padded = F.pad(features, (layer.padding[1],) * 2 + (layer.padding[0],) * 2, mode=mode)
    columns = F.unfold(padded, layer.kernel_size, layer.dilation, 0, layer.stride)
    height, width = ((side - dilation * (kernel - 1) - 1) // stride + 1 for side, dilation, kernel, stride in
                     zip(padded.shape[2:], layer.dilation, layer.kernel_size, layer.stride, strict=True))
    return columns.view(*columns.shape[:2], height, width)


def exact_layer(layer, weight, bias):
    """A copy of a classifier with float64 parameters, without its hooks."""
    copy = type(layer).__new__(type(layer))
    copy.__dict__.update({key: value for key, value in layer.__dict__.items() if key != '_parameters'})
    copy.__dict__.update(_parameters={}, _forward_pre_hooks={})
    copy.weight, copy.bias = weight, bias
    return copy


def table_of(weight, sigma, background):
    """The margin table, with a row of zeros for the background."""
    table = reference.margin_variance(weight, sigma)
    return table if background is None else table * (torch.arange(len(weight)) != background)[:, None]


def forward(kind, layer, features):
    logits = layer(features)
    return logits.permute(0, 3, 1, 2) if kind == 'tokens' else logits


def criterion(case):
    """ISDACriterion over several steps: loss, gradients of weight, bias and features, counts, means, covariances."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64, torch.bfloat16), case.size('classes', 2, 6)
    kind, layer, shape = draw_classifier(case, classes, dtype)
    covariance = case.pick('covariance', *KINDS)
    maps = kind in ('tokens', 'conv1x1', 'conv3d', 'kxk')
    resized = maps and case.pick('resized', True, False)
    align_corners = resized and case.pick('align_corners', True, False)
    resolution = case.pick('resolution', 'label', 'feature') if maps else 'label'
    strength, tau = case.pick('strength', 0.0, 0.5, 2.5), case.pick('logit_adjustment', 0.0, 0.0, 0.5, 1.0)
    background, cast = case.pick('background', None, None, classes - 1), case.pick('cast', None, *TOLERANCE)
    bases = ('default', 'default', 'mean', 'sum', 'none', 'smoothing', 'weights')
    base_kind = case.pick('base', *bases)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(case.normal(*parameter.shape))
    scale, shift = case.pick('scale', 0.3, 1.0, 3.0), case.pick('shift', 0.0, 0.0, 2.0)
    weights = torch.rand(classes, dtype=torch.float64, generator=case.torch) + 0.2
    ignored, before, seen = case.pick('ignore_index', *IGNORED), None, []
    options = dict(weight=weights.to(dtype)) if base_kind == 'weights' else \
        dict(label_smoothing=0.1) if base_kind == 'smoothing' else dict(reduction=base_kind)
    base = None if base_kind == 'default' else nn.CrossEntropyLoss(ignore_index=ignored, **options)
    loss = ISDACriterion(covariance, resolution, base=base, ignore_index=ignored, logit_adjustment=tau,
                         background=background)
    attach(loss, layer, align_corners)
    loss.strength = strength
    for step in range(case.size('steps', 1, 3)):
        features = (case.normal(*shape) * scale + shift).to(dtype)
        exact = features.to(torch.float64, copy=True).requires_grad_()
        features = case.laid_out('layout', features).requires_grad_()
        logits = forward(kind, layer, features)
        small = tuple(logits.shape[2:])
        if resized and step == 0:
            large = tuple(case.size(f'large_{axis}', side, 4 * side + 1) for axis, side in enumerate(small))
        label_shape = (len(logits), *(large if resized else small))
        typed, labels = case.labels(label_shape, classes, ignored)
        weight, bias = layer.weight.detach().double().requires_grad_(), None
        if layer.bias is not None:
            bias = layer.bias.detach().double().requires_grad_()
        plain = forward(kind, exact_layer(layer, weight, bias), exact)
        if resized:
            mode = 'trilinear' if kind == 'conv3d' else 'bilinear'
            logits, plain = (F.interpolate(each, large, mode=mode, align_corners=align_corners)
                             for each in (logits, plain))
        logits = logits.contiguous() if case.pick('contiguous_logits', True, False) else logits
        found = loss(logits if cast is None else logits.to(cast), typed)

        inputs = exact.detach().permute(0, 3, 1, 2) if kind == 'tokens' else exact.detach()
        inputs = windows(layer, inputs) if kind == 'kxk' else inputs
        grid = on_grid(labels, small, align_corners) if maps else labels
        rows = samples_of(inputs) if inputs.dim() > 2 else inputs
        batch = reference.batch_moments(rows, grid.flatten(), classes, ignored)
        before = batch if before is None else reference.running_moments(before, batch)
        seen.append((rows, grid.flatten()))
        sigma = of_kind(before, covariance, *(torch.cat(parts) for parts in zip(*seen, strict=True)), ignored)
        table = table_of(weight.flatten(1), sigma, background)
        prior = tau * (before[0].clamp(min=1) / before[0].clamp(min=1).sum()).log()
        plain = plain + prior.view(-1, *[1] * (plain.dim() - 2))
        if resolution == 'feature':
            added = torch.where((grid != ignored)[..., None], table[grid.clamp(0, classes - 1)], 0).movedim(-1, 1)
            if resized:
                added = F.interpolate(added, large, mode=mode, align_corners=align_corners)
            augmented = samples_of(plain + strength / 2 * added)
            kept = (labels != ignored).flatten()
        else:
            flat = samples_of(plain) if plain.dim() > 2 else plain
            kept = (labels != ignored).flatten()
            augmented = flat.clone()
            augmented[kept] = flat[kept] + strength / 2 * table[labels.flatten()[kept]]
        expected = expected_loss(base_kind, augmented, labels.flatten(), kept, weights)
        if base_kind == 'none':
            expected = expected.view(labels.shape)
        tolerance = max(TOLERANCE[dtype], TOLERANCE[cast or dtype]) * max(1.0, scale + shift)
        if kept.any() or base_kind in ('default', 'sum', 'none'):
            check(f'step {step}: loss', found, expected, tolerance)
            inputs = dict(weight=(layer.weight, weight), features=(features, exact))
            if bias is not None:
                inputs['bias'] = layer.bias, bias
            check_gradients(case, found, expected, tolerance, **{f'step {step}: {name}': pair
                                                                 for name, pair in inputs.items()})
        assert loss.statistics.count.tolist() == before[0].tolist() or covariance == 'identity', 'counts'
        if covariance != 'identity':
            limit = TOLERANCE[torch.float32] * (scale + shift)
            check(f'step {step}: covariance', loss.statistics.covariance, sigma, limit)
            check(f'step {step}: mean', loss.statistics.mean, before[1], limit)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.grad = None
                parameter.add_(case.normal(*parameter.shape).to(dtype), alpha=0.1)
    loss.raise_deferred_errors()


def expected_loss(kind, augmented, labels, kept, weights):
    """The base loss of augmented logits (N, C) by its definition; samples that are not kept have no term."""
    log = augmented - torch.logsumexp(augmented, dim=1, keepdim=True)
    terms, of = [], []
    for i in range(len(labels)):
        y = int(labels[i]) if kept[i] else 0
        factor = (weights[y] if kind == 'weights' else torch.ones((), dtype=torch.float64)) * float(kept[i])
        value = -log[i, y] if not kind.startswith('smoothing') else -(0.9 * log[i, y] + 0.1 * log[i].mean())
        terms.append(torch.where(kept[i], factor * value, value * 0))
        of.append(factor)
    terms, of = (torch.stack(each) if each else augmented.sum(dim=1) for each in (terms, of))  # an empty batch
    if kind.endswith('none'):
        return terms
    return terms.sum() if kind == 'sum' else terms.sum() / of.sum().clamp(min=1e-300) if kept.any() else terms.sum()


def functional(case):
    """isda_cross_entropy, augment_logits, margin_variance and isda_consistency with a given covariance."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64, torch.float64), case.size('classes', 2, 7)
    channels, kind = case.size('channels', 1, 5), case.pick('covariance', *KINDS)
    weight, sigma = case.normal(classes, channels), covariance_of(kind, classes, channels, case.torch)
    shape = case.pick('shape', (17,), (1,), (0,), (2, 5), (1, 3, 4), (0, 3, 4), (3, 1, 6), (2, 2, 2, 3))
    ignored = case.pick('ignore_index', *IGNORED)
    typed, labels = case.labels(shape, classes, ignored)
    strength, reduction = case.pick('strength', 0.0, 0.5, 7.5), case.pick('reduction', 'mean', 'sum', 'none')
    logits = case.normal(shape[0], classes, *shape[1:]) * case.pick('scale', 1.0, 5.0)
    adjustment = case.pick('adjusted', None, 'adjusted') and case.normal(classes)
    tolerance = TOLERANCE[dtype] * 2
    weight, sigma, logits = weight.to(dtype), sigma.to(dtype), logits.to(dtype)
    exact = [each.double().requires_grad_() for each in (weight, logits)]
    weight, logits = (case.laid_out(f'{name}_layout', each).detach().requires_grad_()
                      for name, each in (('weight', weight), ('logits', logits)))
    sigma, literal = case.laid_out('covariance_layout', sigma), sigma.double()
    table = reference.margin_variance(exact[0], literal)
    check('margin_variance', margin_variance(weight, sigma), table, tolerance)
    added = torch.where((labels != ignored)[..., None], table[labels.clamp(0, classes - 1)], 0).movedim(-1, 1)
    check('augment_logits', augment_logits(logits, typed, table.detach().to(dtype), strength, ignore_index=ignored),
          exact[1] + strength / 2 * added, tolerance)
    kept = (labels != ignored).flatten()
    flat = samples_of(exact[1]) if exact[1].dim() > 2 else exact[1]
    flat = flat if adjustment is None else flat + adjustment
    rows = reference.penalised_logits(flat, labels.flatten().clamp(0, classes - 1), exact[0], literal, strength) \
        if len(flat) else flat
    rows = torch.where(kept[:, None], rows, flat)
    expected = expected_loss(reduction, rows, labels.flatten(), kept, None)
    expected = expected.view(shape) if reduction == 'none' else expected
    found = isda_cross_entropy(logits, typed, weight, sigma, strength, ignore_index=ignored, reduction=reduction,
                               adjustment=None if adjustment is None else adjustment.to(dtype))
    check('isda_cross_entropy', found, expected, tolerance)
    check_gradients(case, found, expected, tolerance, weight=(weight, exact[0]), logits=(logits, exact[1]))
    samples = case.size('unlabelled', 1, 5)
    logits = case.normal(samples, classes)
    targets = torch.softmax(case.normal(samples, classes), dim=1)
    check('isda_consistency', isda_consistency(logits.to(dtype), weight.detach(), sigma, strength,
                                               targets=targets.to(dtype), reduction='none'),
          reference.isda_consistency(logits.to(dtype).double(), exact[0].detach(), literal, strength,
                                     targets.to(dtype).double()), tolerance * 10)


def moments(case):
    """class_moments, merge and ClassStatistics over random splits of features with any layout and label type."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64), case.size('classes', 2, 8)
    channels, kind = case.size('channels', 1, 6), case.pick('covariance', *KINDS)
    statistics = ClassStatistics(classes, channels, kind)
    parts, full, seen = [], None, []
    shift = case.pick('shift', 0.0, 3.0, 30.0)
    case.chosen['shapes'], ignored = [], case.pick('ignore_index', *IGNORED)
    for _ in range(case.size('batches', 1, 4)):
        shape = case.python.choice([(0,), (1,), (13,), (60,), (1, 4, 5), (2, 3, 3), (3, 1, 7)])
        case.chosen['shapes'].append(shape)
        typed, labels = case.labels(shape, classes, ignored)
        features = (case.normal(shape[0], channels, *shape[1:]) + shift).to(dtype)
        rows = samples_of(features) if features.dim() > 2 else features
        statistics.observe(case.laid_out('layout', features), typed, ignored)
        batch = reference.batch_moments(rows, labels.flatten(), classes, ignored)
        full = batch if full is None else reference.running_moments(full, batch)
        seen.append((rows.double(), labels.flatten()))
        if kind in ('diagonal', 'full'):
            flat = typed.flatten()
            parts.append(class_moments(case.laid_out('rows_layout', rows), flat, classes, covariance=kind,
                                       ignore_index=ignored))
    sigma = of_kind(full, kind, *(torch.cat(each) for each in zip(*seen, strict=True)), ignored)
    tolerance = 1e-5 * (1 + shift)
    for name, found in (('statistics', statistics.moments), ('merge', merge(*parts) if parts else None)):
        if found is None:
            continue
        assert isinstance(found, ClassMoments)
        if kind != 'identity':
            assert found.count.tolist() == full[0].tolist(), f'{name}: counts {found.count.tolist()}'
            check(f'{name}: mean', found.mean, full[1], tolerance)
        check(f'{name}: covariance', found.covariance, sigma, tolerance)


def soft(case):
    """isda_cross_entropy of class probabilities, and statistics weighted by them, for any number of dimensions."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64), case.size('classes', 2, 6)
    channels, kind = case.size('channels', 1, 5), case.pick('covariance', *KINDS)
    shape = case.pick('shape', (17,), (1,), (2, 5), (1, 3, 4), (2, 2, 2, 3))
    targets = torch.rand(shape[0], classes, *shape[1:], dtype=torch.float64, generator=case.torch)
    zeros = torch.rand(targets.shape, generator=case.torch) < case.pick('zeros', 0.0, 0.5, 0.9)
    targets = targets.masked_fill(zeros, 0)
    if case.pick('normalised', True, False):
        targets = targets / targets.sum(dim=1, keepdim=True).clamp(min=1e-6)
    targets = targets.to(dtype)
    strength, reduction = case.pick('strength', 0.0, 0.5, 7.5), case.pick('reduction', 'mean', 'sum', 'none')
    weight, sigma = case.normal(classes, channels).to(dtype), covariance_of(kind, classes, channels, case.torch)
    logits, sigma = case.normal(*targets.shape).to(dtype) * case.pick('scale', 1.0, 5.0), sigma.to(dtype)
    exact = [each.double().requires_grad_() for each in (weight, logits)]
    weight, logits = (case.laid_out(f'{name}_layout', each).detach().requires_grad_()
                      for name, each in (('weight', weight), ('logits', logits)))
    rows = (samples_of(each) if each.dim() > 2 else each for each in (exact[1], targets.double()))
    expected = reference.soft_isda_cross_entropy(*rows, exact[0], sigma.double(), strength)
    expected = expected.view(shape) if reduction == 'none' else \
        expected.sum() / (expected.numel() if reduction == 'mean' else 1)
    found = isda_cross_entropy(logits, case.laid_out('target_layout', targets), weight, sigma, strength,
                               reduction=reduction)
    tolerance = TOLERANCE[dtype] * 2
    check('loss', found, expected, tolerance)
    check_gradients(case, found, expected, tolerance, weight=(weight, exact[0]), logits=(logits, exact[1]))
    features = (case.normal(shape[0], channels, *shape[1:]) + case.pick('shift', 0.0, 3.0)).to(dtype)
    count, mean, full = reference.soft_moments(*(samples_of(each) if each.dim() > 2 else each
                                                 for each in (features.double(), targets.double())))
    statistics = ClassStatistics(classes, channels, kind)
    statistics.observe(case.laid_out('layout', features), targets)
    check('count', statistics.count, count, 1e-6)
    check('mean', statistics.mean, mean, 1e-4)
    if kind in ('diagonal', 'full'):
        check('covariance', statistics.covariance, full if kind == 'full' else reference.diagonal(full), 1e-4)


def soft_criterion(case):
    """ISDACriterion of class probabilities over several steps: loss, gradients, counts, means, covariances."""
    dtype, classes = case.pick('dtype', torch.float32, torch.float64, torch.bfloat16), case.size('classes', 2, 5)
    kind, layer, shape = draw_classifier(case, classes, dtype)
    covariance, tau = case.pick('covariance', *KINDS), case.pick('logit_adjustment', 0.0, 0.5, 1.0)
    strength, base_kind = case.pick('strength', 0.0, 0.5, 2.5), case.pick('base', 'default', 'sum', 'none', 'smoothing',
                                                                         'weights')
    resized = kind in ('tokens', 'conv1x1', 'kxk') and case.pick('resized', True, False)
    weights = torch.rand(classes, dtype=torch.float64, generator=case.torch) + 0.2
    options = dict(weight=weights.to(dtype)) if base_kind == 'weights' else \
        dict(label_smoothing=0.1) if base_kind == 'smoothing' else dict(reduction=base_kind)
    loss = ISDACriterion(covariance, base=None if base_kind == 'default' else nn.CrossEntropyLoss(**options),
                         logit_adjustment=tau)
    attach(loss, layer)
    loss.strength, seen = strength, []
    for step in range(case.size('steps', 1, 3)):
        features = case.normal(*shape).to(dtype)
        exact = features.to(torch.float64, copy=True).requires_grad_()
        features = case.laid_out('layout', features).requires_grad_()
        weight, bias = (None if each is None else each.detach().double().requires_grad_()
                        for each in (layer.weight, layer.bias))
        logits, plain = forward(kind, layer, features), forward(kind, exact_layer(layer, weight, bias), exact)
        small = tuple(logits.shape[2:])
        if resized:
            large = tuple(2 * side + 1 for side in small)
            logits, plain = (F.interpolate(each, large, mode='bilinear') for each in (logits, plain))
        targets = torch.rand(plain.shape, dtype=torch.float64, generator=case.torch)
        targets = targets.masked_fill(torch.rand(plain.shape, generator=case.torch) < case.pick('zeros', 0.0, 0.6), 0)
        if base_kind == 'smoothing':  # torch smooths rows of zeros too, at strength 0
            targets = targets.masked_fill(targets.sum(dim=1, keepdim=True) == 0, 1)
        targets = (targets / targets.sum(dim=1, keepdim=True).clamp(min=1e-3)).to(dtype)
        found = loss(logits, case.laid_out('target_layout', targets))

        inputs = exact.detach().permute(0, 3, 1, 2) if kind == 'tokens' else exact.detach()
        inputs = windows(layer, inputs) if kind == 'kxk' else inputs
        grid = targets
        if resized:
            grid = torch.stack([on_grid(targets[:, c], small, False) for c in range(classes)], dim=1)
        p, grid, inputs, plain = (samples_of(each) if each.dim() > 2 else each
                                  for each in (targets.double(), grid.double(), inputs, plain))
        seen.append((inputs, grid))
        rows, shares = (torch.cat(parts) for parts in zip(*seen, strict=True))
        count, mean, full = reference.soft_moments(rows, shares)
        sigma = {'full': full, 'diagonal': reference.diagonal(full), 'identity': torch.ones(1, rows.shape[1]).double(),
                 'shared': reference.soft_moments(rows, shares.sum(dim=1, keepdim=True))[2]}[covariance]
        table = reference.margin_variance(weight.flatten(1), sigma)
        plain = plain + tau * (count.clamp(min=1) / count.clamp(min=1).sum()).log()
        every = torch.ones(len(p), dtype=torch.bool)
        terms = [p[:, y] * (weights[y] if base_kind == 'weights' else 1) * expected_loss(
            'smoothing none' if base_kind == 'smoothing' else 'none', plain + strength / 2 * table[y],
            torch.full((len(p),), y), every, weights) for y in range(classes)]
        expected = sum(terms)
        expected = expected.view(found.shape) if base_kind == 'none' else \
            expected.sum() / (1 if base_kind == 'sum' else max(1, len(p)))
        tolerance = TOLERANCE[dtype] * 2
        check(f'step {step}: loss', found, expected, tolerance)
        pairs = dict(weight=(layer.weight, weight), features=(features, exact))
        if bias is not None:
            pairs['bias'] = layer.bias, bias
        check_gradients(case, found, expected, tolerance, **pairs)
        check(f'step {step}: count', loss.statistics.count, count, 1e-5)
        if covariance != 'identity':
            check(f'step {step}: mean', loss.statistics.mean, mean, TOLERANCE[torch.float32])
            check(f'step {step}: covariance', loss.statistics.covariance, sigma, TOLERANCE[torch.float32])
        layer.zero_grad()


FAMILIES = dict(criterion=criterion, functional=functional, moments=moments, soft=soft, soft_criterion=soft_criterion)


def failure_of(family, seed):
    """Run one case: None, or the message of a failure with the choices and the seed."""
    case = Case(seed)
    try:
        with case.small_blocks():
            FAMILIES[family](case)
    except Exception as error:  # any exception of a valid case is a failure
        return f'{family} seed {seed}: {type(error).__name__}: {error}\n    {case.chosen}'
    return None


def run(family, first, enough, most_failures=20):
    """Run cases of increasing seeds until `enough(cases)`; return the number of cases and the failures."""
    failures = []
    for cases, seed in enumerate(itertools.count(first)):
        if enough(cases) or len(failures) >= most_failures:
            return cases, failures
        failure = failure_of(family, seed)
        failures += [failure] if failure else []
