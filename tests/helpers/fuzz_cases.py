"""What a case of the fuzzer draws: options, layouts, labels, classifiers, base losses, batches."""

import copy
import importlib
import io
import math
import pickle
import random
import warnings
from contextlib import ExitStack
from fractions import Fraction
from importlib.util import find_spec
from unittest import mock

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from helpers.problems import KINDS
from isda_seg.attach import attach
from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.core.ops.precision import at_least_float32
from isda_seg.criterion import ISDACriterion

IGNORED = (255, -1, -100, 0, 1, 99, -7)
LABEL_TYPES = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
BLOCKS = dict(one_hot='ops.add_rows.CHUNK', rows='ops.quadratic.CACHE_ELEMENTS',
              tile='ops.class_matrices.TILE', products='ops.class_matrices.PRODUCT_ELEMENTS',
              terms='consistency.MAX_TERMS', windows='windows.CACHE_ELEMENTS', chunk='moments.CHUNK',
              differences_cpu='margin.DIFFERENCES_CPU', differences='margin.DIFFERENCES',
              soft_cpu='soft_targets.BLOCK_CPU', soft='soft_targets.BLOCK')
TOLERANCE = {torch.float64: 2e-5, torch.float32: 5e-4, torch.bfloat16: 0.1, torch.float16: 0.1}  # of float32 buffers
CLASSIFIERS = ('linear', 'pooled', 'tokens', 'sequence', '1x1 1d', '1x1 2d', '1x1 3d', 'windows 1d', 'windows 2d',
               'windows 3d')
BASES = ('default', 'mean', 'sum', 'none', 'smoothing', 'focal', *['mmseg'] * bool(find_spec('mmseg')))
DISTURBANCES = (None, 'unused pass', 'pass without gradients', 'evaluation', 'refused call', 'failing base',
                'copy', 'table')
HANDOVERS = ('deepcopy', 'pickle', 'load, attach', 'attach, load', 'attach, use, load')
SIZES = {1: (2, 14), 2: (2, 6), 3: (2, 3)}  # least and most positions of a side


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
        if kind == 'channels_last' and tensor.dim() in (4, 5):
            return tensor.contiguous(memory_format=(torch.channels_last, torch.channels_last_3d)[tensor.dim() - 4])
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
    """Compare with a tolerance relative to the largest expected entry, where float16 can hold it if `found` is one."""
    found = torch.zeros_like(expected) if found is None else found.detach()  # no gradient is one of zeros
    expected, largest = expected.detach().double(), 3e4 if found.dtype == torch.float16 else torch.inf
    assert found.shape == expected.shape, f'{name}: shape {tuple(found.shape)}, expected {tuple(expected.shape)}'
    held = ~(expected.abs() > largest)
    found, expected = found.double()[held], expected[held]
    limit = tolerance * max(1.0, float(expected.abs().max()) if expected.numel() else 0.0)
    worst = float((found - expected).abs().max()) if found.numel() else 0.0
    assert worst <= limit, f'{name}: differs by {worst:.3g}, allowed {limit:.3g}'  # also for NaN


def grid_position(i, small, large, align_corners, sampling):
    """The pixel on which feature row i sits."""
    if sampling == 'nearest':
        return i * large // small
    if align_corners:
        return 0 if small == 1 else math.floor(Fraction(i * (large - 1), small - 1) + Fraction(1, 2))
    return math.floor((i + Fraction(1, 2)) * Fraction(large, small))


def samples_of(maps):
    """(B, A, ...) as rows (N, A)."""
    return maps.movedim(1, -1).flatten(0, -2) if maps.dim() > 2 else maps


def windows(layer, features):
    """The rows that a convolution multiplies with its weight: (B, A k k, ...), copied by a convolution."""
    sides = list(zip(layer.kernel_size, layer.dilation, strict=True))
    added = [dilation * (kernel - 1) for kernel, dilation in sides]
    pads = [(one // 2, one - one // 2) for one in added] if layer.padding == 'same' else \
        [(one, one) for one in layer.padding]
    padded = F.pad(features, [one for pair in reversed(pads) for one in pair],
                   mode='constant' if layer.padding_mode == 'zeros' else layer.padding_mode)
    each = torch.eye(layer.weight[0].numel(), dtype=features.dtype).view(-1, *layer.weight.shape[1:])
    return getattr(F, f'conv{len(sides)}d')(padded, each, stride=layer.stride, dilation=layer.dilation)


def draw_classifier(case, classes, dtype):
    """The kind of a classifier, the layer, the shape of its input, and the sides of its output if it takes tokens."""
    kind = case.pick('classifier', *CLASSIFIERS)
    tokens = kind in ('tokens', 'sequence')
    images = case.size('images', int(tokens), 3)  # an empty batch has no map of tokens
    channels, bias = case.size('channels', 1, 5), case.pick('bias', True, False)
    if kind == 'linear':
        return kind, nn.Linear(channels, classes, bias=bias, dtype=dtype), (case.size('samples', 0, 40), channels), ()
    sides = int(kind[-2]) if kind[-2].isdigit() else 2
    size = [case.size(f'side_{side}', *SIZES[sides]) for side in range(sides)]
    if tokens:
        shape = (images, *(size if kind == 'tokens' else [math.prod(size)]), channels)
        return kind, nn.Linear(channels, classes, bias=bias, dtype=dtype), shape, size
    kernel, options = [1] * sides, {}
    if kind == 'pooled':  # logits of a single position
        size = kernel = [case.size(f'kernel_{side}', 1, 2) for side in range(sides)]
    elif kind.startswith('windows'):
        channels, kernel = min(channels, 2), [case.size(f'kernel_{side}', 1, 3 - sides // 3)
                                              for side in range(sides)]
        size = [side + (3 if sides < 3 else 1) for side in size]
        stride = [case.size(f'stride_{side}', 1, 2) for side in range(sides)]
        padding = case.pick('padding', 0, 1, 'same')
        options = dict(dilation=case.size('dilation', 1, 2), padding=padding, stride=1 if padding == 'same' else stride,
                       padding_mode=case.pick('padding_mode', 'zeros', 'reflect', 'replicate', 'circular'))
    layer = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[sides - 1](channels, classes, kernel, bias=bias, dtype=dtype, **options)
    return kind, layer, (images, channels, *size), ()


def draw_base(case, kind, classes, ignored, dtype):
    """A base loss (None for the default one), and its arguments of `expected_loss`."""
    weights = None
    if kind != 'default' and case.pick('class_weight', False, True):
        weights = (torch.rand(classes, dtype=torch.float64, generator=case.torch) + 0.2).to(dtype)
    expected = dict(reduction='labelled', weights=None if weights is None else weights.double())
    if kind == 'default':
        return None, expected
    if kind == 'focal':
        gamma = case.pick('gamma', 0.0, 0.5, 2.0)
        return SoftmaxFocalLoss(gamma, None if weights is None else weights.tolist()), dict(expected, gamma=gamma)
    if kind == 'mmseg':
        from mmseg.models.losses import CrossEntropyLoss
        labelled = weights is None and case.pick('avg_non_ignore', False, True)
        with warnings.catch_warnings():  # of its default
            warnings.simplefilter('ignore')
            base = CrossEntropyLoss(avg_non_ignore=labelled, loss_weight=0.4,
                                    class_weight=None if weights is None else weights.tolist())
        reduction = 'labelled' if labelled else 'all' if weights is None else 'mean'
        return base, dict(expected, reduction=reduction, factor=0.4)
    reduction, smoothing = kind if kind in ('sum', 'none') else 'mean', 0.1 if kind == 'smoothing' else 0.0
    base = nn.CrossEntropyLoss(weights, ignore_index=ignored, reduction=reduction, label_smoothing=smoothing)
    return base, dict(expected, reduction=reduction, smoothing=smoothing)


def expected_loss(logits, labels, kept, reduction, weights=None, smoothing=0.0, gamma=0.0, factor=1.0):
    """The base loss of logits (N, C) by its definition; samples that are not kept have no term.

    It is divided by the sum of the class weights for 'mean', the number of samples for 'all', of kept ones for
    'labelled'.
    """
    log = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    weights = torch.ones(logits.shape[1], dtype=torch.float64) if weights is None else weights
    y = torch.where(kept, labels, 0)
    own = log.gather(1, y[:, None])[:, 0]
    value = -(1 - smoothing) * weights[y] * own - smoothing / logits.shape[1] * log @ weights
    if gamma:
        value = (-torch.expm1(own)).clamp(min=1e-7) ** gamma * value
    value = factor * torch.where(kept, value, 0)
    divisor = dict(sum=1, all=max(1, len(y)), labelled=max(1, int(kept.sum())), mean=float(weights[y[kept]].sum()))
    return value if reduction == 'none' else value.sum() / divisor[reduction] if divisor[reduction] else value.sum()


class Problem:
    """A classifier, an ISDACriterion and batches with drawn options."""

    def __init__(self, case, soft):
        self.case, self.soft = case, soft
        self.dtype, self.classes = case.pick('dtype', *TOLERANCE), case.size('classes', 2, 6)
        self.cast = case.pick('cast', None, None, *TOLERANCE)
        self.autocast = case.pick('autocast', False, False, True)
        self.half = {self.dtype, self.cast} & {torch.bfloat16, torch.float16} or \
            self.autocast and self.dtype != torch.float64
        self.kind, self.layer, self.shape, self.tokens = draw_classifier(case, self.classes, self.dtype)
        with torch.no_grad():
            for parameter in self.layer.parameters():
                parameter.copy_(case.normal(*parameter.shape))
        self.layer.weight.data = case.laid_out('weight_layout', self.layer.weight.data)
        self.frozen = case.pick('frozen', None, None, None, 'weight', 'features')
        self.layer.weight.requires_grad_(self.frozen != 'weight')
        self.size, self.align_corners, maps = None, False, self.kind not in ('linear', 'pooled')
        self.small = tuple(self.logits(self.layer, torch.zeros(1, *self.shape[1:], dtype=self.dtype)).shape[2:])
        if maps and case.pick('resized', True, False):
            most = 4 if len(self.small) < 3 else 2
            self.size = tuple(case.size(f'large_{axis}', -(-side // 2), most * side + 1)
                              for axis, side in enumerate(self.small))
            if self.kind == 'sequence':  # the aspect ratio tells the sides
                self.size = tuple(side * case.chosen['large_0'] for side in self.small)
            self.align_corners = case.pick('align_corners', True, False)
        self.ignored = -100 if soft else case.pick('ignore_index', *IGNORED)
        kind = case.pick('base', 'default', *BASES[:5] if soft else BASES)
        self.base, self.reduction = draw_base(case, kind, self.classes, self.ignored, self.cast or self.dtype)
        self.calls_base = kind not in ('default', 'mmseg') and not soft  # others may compute the same without it
        self.in_call = dict(ignore_index=self.ignored) if kind in ('default', 'focal', 'mmseg') else {}
        self.strength = case.pick('strength', 0.0, 0.5, 2.5)
        self.tau = case.pick('logit_adjustment', 0.0, 0.0, 0.5, 1.0)
        self.resolution = case.pick('resolution', 'label', 'feature') if maps and not soft else 'label'
        self.label_sampling = case.pick('label_sampling', 'exact', 'exact', 'nearest')
        self.background = None if soft else case.pick('background', None, None, self.classes - 1)
        self.samples = None if soft else case.pick('samples', None, None, 1, 3)
        self.covariance, self.calls = case.pick('covariance', *KINDS), case.pick('calls_per_step', None, None, 1, 2)
        self.scale, self.shift = case.pick('scale', 0.3, 1.0, 3.0), case.pick('shift', 0.0, 0.0, 2.0)

    def widest(self):
        """The dtype that limits the precision of a result."""
        return torch.float64 if self.dtype == torch.float64 == (self.cast or self.dtype) else torch.float32

    def plain(self, layer, logits, labels):
        """The base loss alone."""
        base, logits = self.base or MeanCrossEntropy(), logits.to(at_least_float32(logits, layer.weight))
        labels = labels if self.soft else labels.long()
        return copy.deepcopy(base).to(logits.dtype)(logits, labels, **self.in_call)

    @property
    def ramp(self):
        """The arguments of the ramp; without one, the strength is constant."""
        return dict(lambda_0=self.strength, total_steps=3, calls_per_step=self.calls) if self.calls else {}

    def new_layer(self):
        """A copy of the classifier; it has no hook."""
        return copy.deepcopy(self.layer)

    def loss(self, layer=None):
        """A new loss, attached to a layer if there is one."""
        loss = ISDACriterion(
            self.covariance, self.resolution, label_sampling=self.label_sampling, base=copy.deepcopy(self.base),
            ignore_index=-100 if self.in_call else self.ignored, logit_adjustment=self.tau, samples=self.samples,
            background=self.background, **self.ramp)
        if layer is not None:
            attach(loss, layer, self.align_corners)
        return loss

    def logits(self, layer, features):
        """The logits of a training step, resized and cast."""
        with torch.autocast('cpu', torch.bfloat16, enabled=self.autocast and features.dtype != torch.float64):
            logits = layer(features)
            logits = logits.movedim(-1, 1).unflatten(2, self.tokens) if self.kind == 'sequence' else \
                logits.movedim(-1, 1) if self.tokens else logits
            logits = logits.flatten(1) if self.kind == 'pooled' else logits
            mode = ('linear', 'bilinear', 'trilinear')[max(0, logits.dim() - 3)]
            if self.size is not None:
                logits = F.interpolate(logits, self.size, mode=mode, align_corners=self.align_corners)
            return logits.to(self.cast or logits.dtype)

    def upsampled(self, rows):
        """Rows (N, C) on the feature grid as rows at the positions of the logits."""
        if self.size is None:
            return rows
        maps = rows.view(-1, *self.small, rows.shape[1]).movedim(-1, 1)
        return samples_of(F.interpolate(maps, self.size, mode=('linear', 'bilinear', 'trilinear')[len(self.small) - 1],
                                        align_corners=self.align_corners))

    def on_grid(self, labels):
        """Labels, or class probabilities, at the positions of the features."""
        for side, (small, large) in enumerate(zip(self.small, self.size or (), strict=False), start=-len(self.small)):
            positions = [grid_position(i, small, large, self.align_corners, self.label_sampling) for i in range(small)]
            labels = labels.index_select(side, torch.tensor(positions, dtype=torch.int64))
        return labels

    def rows(self, features):
        """The classifier's input as rows (N, A)."""
        if isinstance(self.layer, nn.Linear):
            return features.flatten(0, -2)
        return samples_of(windows(self.layer, features)).flatten(1)

    def batch(self):
        """Features, labels in a random type and layout, and the same labels as int64; or class probabilities."""
        case = self.case
        features = (case.normal(*self.shape) * self.scale + self.shift).to(self.dtype)
        features = case.laid_out('layout', features).requires_grad_(self.frozen != 'features')
        shape = (len(features), *(self.size or self.small))
        if not self.soft:
            return features, *case.labels(shape, self.classes, self.ignored)
        targets = torch.rand(shape[0], self.classes, *shape[1:], dtype=torch.float64, generator=case.torch)
        targets = targets.masked_fill(torch.rand(targets.shape, generator=case.torch) < case.pick('zeros', 0.0, 0.6), 0)
        kinds, least = (torch.float32, torch.float64, torch.bfloat16), 1e-3
        if self.reduction.get('smoothing'):  # torch smooths rows that do not sum to 1 in another way, at strength 0
            targets, kinds, least = targets.masked_fill(targets.sum(dim=1, keepdim=True) == 0, 1), kinds[:2], 1e-12
        targets = (targets / targets.sum(dim=1, keepdim=True).clamp(min=least)).to(case.pick('target_type', *kinds))
        return features, case.laid_out('target_layout', targets), targets.double()

    def call(self, loss, logits, labels):
        """The value of the loss, in the drawn form of a call."""
        loss.strength = loss.strength if self.calls else self.strength
        with torch.autocast('cpu', torch.bfloat16, enabled=self.autocast):
            return loss(logits, labels, **self.in_call)

    def disturb(self, how, layer, loss, features, logits, labels):
        """What a training step may do besides, without an effect: one of `DISTURBANCES`."""
        if how == 'pass without gradients':
            with torch.no_grad():
                self.logits(layer, features + 1)
        elif how == 'evaluation':
            layer.eval(), loss.eval()
            self.call(loss, self.logits(layer, features + 1), labels)
            layer.train(), loss.train()
        elif how == 'refused call':
            with pytest.raises(ValueError, match='must agree'):
                self.call(loss, logits, labels[..., None])
        elif how == 'failing base' and self.calls_base:
            with pytest.raises(ZeroDivisionError):
                handle = loss.base.register_forward_pre_hook(lambda *_: 1 / 0)
                self.call(loss, logits, labels)
            handle.remove()
        elif how == 'copy':
            copy.deepcopy((layer, loss))
        elif how == 'table':
            loss.table()

    def hand_over(self, way, layer, loss, features, labels):
        """Continue with a copy of classifier and loss, made in one of the ways of `HANDOVERS`."""
        if way == 'deepcopy':
            return copy.deepcopy((layer, loss))
        if way == 'pickle':
            return pickle.loads(pickle.dumps((layer, loss)))
        file = io.BytesIO()
        torch.save([layer.state_dict(), loss.state_dict()], file)
        file.seek(0)
        states, layer = torch.load(file, weights_only=True), self.new_layer()
        layer.load_state_dict(states[0])
        loss = self.loss(None if way == 'load, attach' else layer)
        if way == 'attach, use, load':
            self.call(loss, self.logits(layer, features), labels)
        loss.load_state_dict(states[1])
        attach(loss, layer, self.align_corners)
        return layer, loss
