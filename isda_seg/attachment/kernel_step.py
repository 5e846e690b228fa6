"""The loss of one call by the kernels of a GPU: observe, table and loss, without an operator of PyTorch in between."""
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isda_seg.attachment.captured_inputs import CapturedInput
from isda_seg.attachment.label_errors import LabelErrors, invalid_labels
from isda_seg.attachment.label_grid import label_index, labels_on_grid
from isda_seg.attachment.verification import Place, Verification, stale_logits, tolerance
from isda_seg.core import ClassStatistics
from isda_seg.core.functional import Mean, closed_form_logits, cross_entropy
from isda_seg.core.kernels import DTYPES, kernels_of, succeeds
from isda_seg.core.moments import ClassMoments, batch_moments, empty_moments
from isda_seg.core.ops.checks import LABEL_DTYPES
from isda_seg.core.prior import adjust_logits, log_prior
from isda_seg.core.ranks import merge_ranks

SAMPLES = 64           # compared at the first call
MOST_SAMPLES = 1024    # with kernels: each reads the labels of all


class Call(NamedTuple):
    """Arguments of one call of the loss, and the settings that determine its value."""
    captured: CapturedInput
    logits: Tensor
    labels: Tensor
    ignore_index: int
    strength: float
    tau: float          # of logit adjustment
    mean: Mean | None   # of the cross-entropy that the base loss is; None for other base losses
    align_corners: bool
    label_sampling: str

    @property
    def features(self) -> Tensor:
        """The input (B, A, h, w) of a 1x1 classifier, or samples (N, A)."""
        assert isinstance(self.captured.features, Tensor)
        return self.captured.features

    @property
    def weight(self) -> Tensor:
        """The weight (C, A) of the classifier."""
        return self.captured.weight

    def dense(self) -> 'Call':
        """Return the call with the rows of a map of features next to each other."""
        features = self.features
        if features.dim() == 2 or features.stride(2) == features.shape[3] * features.stride(3):
            return self
        return self._replace(captured=self.captured._replace(features=features.contiguous()))

    def part(self, mean: Mean) -> 'Call':
        """Return the call for the first image, or some samples, with its own gradients."""
        part = slice(1 if self.logits.dim() > 2 else SAMPLES)
        captured = self.captured._replace(features=self.features[part], weight=self.weight.detach().requires_grad_())
        return self._replace(captured=captured, logits=self.logits[part].detach().requires_grad_(),
                             labels=self.labels[part], mean=mean)

    def kind(self) -> tuple[Any, ...]:
        """Return what a kernel is compiled for: dtypes, layouts and options."""
        return (self.features.dim(), self.features.dtype, self.logits.dtype, self.weight.dtype, self.labels.dtype,
                self.features.stride(1) == 1, self.logits.stride(1) == 1, self.captured.bias is None,
                self.features.shape[2:] == self.labels.shape[1:], self.tau > 0)


class KernelStep:
    """Runs a call by kernels, after comparing them with PyTorch's operators on a part of the first call."""

    def __init__(self) -> None:
        self._watch: Any = None  # of the kernels: labels outside the classes, logits of another forward pass
        self._compared: set[tuple[Any, ...]] = set()  # dtypes and layouts
        self._last: tuple[int, int, float] = 0, 0, 0.0

    def __getstate__(self) -> dict[str, Any]:
        """Copy without the notes of the original."""
        return KernelStep().__dict__

    def loss(self, call: Call, statistics: ClassStatistics, verification: Verification) -> Tensor | None:
        """Observe the batch, and return the loss; None if the kernels do not support the call."""
        kernels = kernels_of(call.logits, call.weight) if verification.verified and self._supports(call, statistics) \
            else None
        if kernels is None:
            return None
        call = call.dense()
        if self._watch is None or self._watch.worst.device != call.logits.device:
            self._watch = kernels.Watch(call.logits.device)
        if not succeeds(lambda: self._compare(kernels, call)):
            return None
        result, moments = self._run(kernels, call, statistics.running(), statistics.dropped, verification.next(),
                                    statistics.merges_ranks())
        self._last = len(call.weight), call.ignore_index, tolerance(call.features, call.logits)
        statistics.store(moments)
        return result

    @staticmethod
    def _supports(call: Call, statistics: ClassStatistics) -> bool:
        features, logits, labels = call.captured.features, call.logits, call.labels
        maps = logits.dim() == 4
        return (call.mean is not None and isinstance(features, Tensor) and features.dim() == logits.dim()
                and logits.shape == (len(labels), len(call.weight), *labels.shape[1:])
                and len(labels) == len(features) and logits.numel() > 0 and logits.requires_grad
                and features.dtype in DTYPES and labels.dtype in LABEL_DTYPES and call.weight.numel() < 1 << 31
                and isinstance(statistics, ClassStatistics) and statistics.kind == 'diagonal'
                and not statistics.count.is_floating_point()
                and (maps or logits.dim() == 2 and len(logits) <= MOST_SAMPLES and not call.tau
                     and not statistics.merges_ranks() and logits.numel() < 1 << 31)
                and features[0 if maps else slice(None)].numel() < 1 << 31)

    def _run(self, kernels: Any, call: Call, running: ClassMoments, dropped: Tensor, step: int,
             merges_ranks: bool) -> tuple[Tensor, ClassMoments]:
        """Return the loss, and the running moments with this batch; those of samples change in place."""
        assert call.mean is not None
        features, weight, strength = call.features, call.weight, call.strength
        index, checks = _grid(kernels, call, dropped, step)
        noted = call.ignore_index, *call.mean, self._watch, checks, tolerance(features, call.logits), weight.numel()
        loss: Tensor
        if features.dim() == 2:
            count, mean, covariance = running
            kernels.operators.update(features, index.flatten(), count, mean, covariance)
            rows = kernels.sample_rows(weight, index.flatten(), count, covariance, strength)
            loss = kernels.sample_cross_entropy(call.logits, call.labels, rows, *noted)
            return loss, running
        parts = kernels.operators.split_moments(features, index, len(weight))
        if merges_ranks:
            parts = kernels.parts_of(merge_ranks(kernels.moments_of(parts)))
        rows, moments = kernels.merged_table(weight, parts, running, strength, call.tau)
        loss = kernels.map_cross_entropy(call.logits.flatten(2), call.labels.flatten(1), rows, *noted)
        return loss, moments

    def _compare(self, kernels: Any, call: Call) -> None:
        """Compare moments, loss and gradients with PyTorch's operators, at the first call of its kind. Synchronises.

        Raises:
            ArithmeticError: the results differ.
        """
        if call.kind() in self._compared:
            return
        classes, channels = call.weight.shape
        half = min((call.features.dtype, call.logits.dtype), key=lambda dtype: dtype.itemsize)
        for mean in (Mean(1), Mean()):
            one = call.part(mean)
            nothing = empty_moments(classes, channels, 'diagonal', device=one.logits.device)
            fast, moments = self._run(kernels, one, nothing._replace(mean=nothing.mean.double()),
                                      torch.zeros((), dtype=torch.int64, device=one.logits.device), 1, False)
            slow, expected = _by_operators(one)
            inputs = one.logits, one.weight
            kernels.require_close(*([loss, *each, *torch.autograd.grad(loss, inputs, materialize_grads=True,
                                                                       allow_unused=True)]
                                    for loss, each in ((fast, moments), (slow, expected))), half)
        if int(expected.count.sum()):
            self._compared.add(call.kind())

    def raise_deferred(self) -> None:
        """Raise the errors of ``Verification`` and ``LabelErrors`` that the kernels noted. Synchronises."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        (least, most), worst = watch.extremes.tolist(), float(watch.worst)
        classes, ignore_index, allowed = self._last
        if least <= most:
            raise invalid_labels(least, most, classes, ignore_index)
        if worst > 1:
            raise RuntimeError(stale_logits(worst * allowed))
        self._watch = watch


def _grid(kernels: Any, call: Call, dropped: Tensor, step: int) -> tuple[Tensor, Tensor]:
    """Return the class index of each feature, and the comparison at the position of a step; see ``grid_kernel``."""
    features, labels, logits = call.features, call.labels.contiguous(), call.logits.detach()
    if features.dim() == 2:  # samples are images of one pixel
        features, labels, logits = features[..., None, None], labels[:, None, None], logits[..., None, None]
    height, width = features.shape[2:]
    same = labels.shape[1:] == features.shape[2:]
    rows, columns = (None if same else label_index(small, large, call.align_corners, call.label_sampling, labels.device)
                     for small, large in zip((height, width), labels.shape[1:], strict=True))
    place = Place.of(step, len(features), (height, width), logits.shape[2:], call.align_corners)
    (top, bottom, share_row), (left, right, share_column) = place.sources
    (first, below), (before, after) = ((max(one - 1, 0), min(two + 2, size)) for (one, two, _), size in
                                       zip(place.sources, (height, width), strict=True))
    around = [top * width + left, top * width + right, bottom * width + left, bottom * width + right,
              first * width + before, after - before, below - first]
    index, checks = kernels.operators.grid(
        features, labels, rows, columns, call.weight.detach(), call.captured.bias, logits, dropped, call.ignore_index,
        [place.image, *around, *place.pixel], [share_row, share_column])
    return index, checks


def _by_operators(call: Call) -> tuple[Tensor, ClassMoments]:
    """Return the loss of a batch by PyTorch's operators, from the moments of this batch alone."""
    classes, mean = len(call.weight), call.mean or Mean()
    labels, ignored = LabelErrors().mask_invalid(call.labels.long(), classes, call.ignore_index), classes + 1
    on_grid = labels_on_grid(labels, call.features.shape[2:], call.align_corners, call.label_sampling)
    moments = batch_moments(call.features, on_grid, classes, 'diagonal', ignored)[0]
    adjustment = call.tau * log_prior(moments.count) if call.tau else None
    augmented = closed_form_logits(adjust_logits(call.logits, adjustment), labels, call.weight, moments.covariance,
                                   call.strength, ignore_index=ignored)
    total = cross_entropy(augmented, labels, ignore_index=ignored, reduction='sum')
    return total / mean.divisor(labels, ignored), moments
