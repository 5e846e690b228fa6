"""The loss of one call by the kernels of a GPU: observe, table and loss, without an operator of PyTorch in between."""
from typing import Any

import torch
from torch import Tensor

from isda_seg.attachment.base_losses import MeanCrossEntropy
from isda_seg.attachment.label_errors import LabelErrors, invalid_labels
from isda_seg.attachment.label_grid import label_index, labels_on_grid, without_class
from isda_seg.attachment.loss_call import Call
from isda_seg.attachment.verification import TERMS, Place, Verification, relative_tolerance, stale_logits
from isda_seg.core import ClassStatistics
from isda_seg.core.averaging import Averaging
from isda_seg.core.functional import closed_form_logits
from isda_seg.core.kernels import DTYPES, kernels_of, require_close, succeeds, used_on
from isda_seg.core.kernels.splits import moments_of, parts_of
from isda_seg.core.moments import ClassMoments, batch_moments, empty_moments
from isda_seg.core.ops.labels import LABEL_DTYPES
from isda_seg.core.ops.transient import Transient
from isda_seg.core.prior import adjust_logits, log_prior
from isda_seg.core.ranks import merge_ranks

SAMPLES = 64           # compared at the first call
MOST_SAMPLES = 1024    # with kernels: each reads the labels of all


class KernelStep(Transient):
    """Runs a call by kernels, after comparing them with PyTorch's operators on a part of the first call."""

    def __init__(self) -> None:
        self._watch: Any = None  # of the kernels: labels outside the classes, logits of another forward pass
        self._compared: set[tuple[Any, ...]] = set()  # dtypes and layouts
        self._last: tuple[int, int, float] = 0, 0, 0.0

    def loss(self, call: Call, statistics: ClassStatistics, verification: Verification) -> Tensor | None:
        """Observe the batch, and return the loss; None if the kernels do not support the call."""
        if not (used_on(call.logits.device) and isinstance(statistics, ClassStatistics)):
            return None
        averaging = call.averaging()
        kernels = kernels_of(call.logits, call.weight) if _supports(call, averaging, statistics) else None
        if kernels is not None and not verification.verified:
            verification.check(call.captured, call.logits, call.align_corners)
        if kernels is None or not verification.verified or verification.scale_factor:
            return None
        call = call.dense()
        if self._watch is None or self._watch.worst.device != call.logits.device:
            self._watch = kernels.Watch(call.logits.device)
        ranks = statistics if statistics.merges_ranks() else None
        if not succeeds(lambda: self._compare(kernels, call, averaging, statistics.kind)) or \
                ranks and call.features.dim() == 2 and not ranks.gathers(call.labels, MOST_SAMPLES):
            return None
        # an unknown base loss may raise an error
        dropped = statistics.dropped if averaging else statistics.dropped.clone()
        result, moments = self._run(kernels, call, averaging, statistics.running(), dropped, verification.next(), ranks)
        self._last = len(call.weight), call.ignore_index, relative_tolerance(call.features, call.logits)
        statistics.store(moments)
        if not averaging:
            statistics.dropped = dropped
        return result

    def _run(self, kernels: Any, call: Call, averaging: Averaging | None, running: ClassMoments, dropped: Tensor,
             step: int, ranks: ClassStatistics | None) -> tuple[Tensor, ClassMoments]:
        """Return the loss, and the running moments with this batch; those of samples change in place.

        ``ranks`` are the statistics of all ranks, None for those of one process.
        """
        features, weight = call.features, call.weight
        index, checks = _grid(kernels, call, dropped, step)
        setting = kernels.LossSetting(
            call.ignore_index, averaging or Averaging(), self._watch, checks,
            relative_tolerance(features, call.logits), len(weight) * min(weight.shape[1], TERMS))
        if features.dim() == 2:
            return _samples(kernels, call, running, index.flatten(), setting, ranks), running
        parts = kernels.operators.split_moments(features, index, len(weight))
        if ranks:
            parts = parts_of(merge_ranks(moments_of(parts)))
        rows, moments = kernels.merged_table(weight, parts, running, call.strength, call.tau, call.background)
        arguments = call.logits.flatten(2), call.labels.flatten(1), rows, setting
        if averaging is not None:
            return kernels.map_cross_entropy(*arguments), moments
        augmented, labels = kernels.add_rows(*arguments)
        return call.base_value([augmented.view(call.logits.shape)], labels.view(call.labels.shape),
                               call.ignore_index), moments

    def _compare(self, kernels: Any, call: Call, averaging: Averaging | None, covariance: str) -> None:
        """Compare moments, loss and gradients with PyTorch's operators, at the first call of its kind. Synchronises.

        A base loss that the kernels do not know is replaced by mean cross-entropy, because calling it may change it.
        """
        if (kind := _kind(call, averaging)) in self._compared:
            return
        classes, channels = call.weight.shape
        half = min((call.features.dtype, call.logits.dtype), key=lambda dtype: dtype.itemsize)
        one = call.part(SAMPLES)
        one = one._replace(base=MeanCrossEntropy(), kwargs={}, factor=1.0) if averaging is None else one
        nothing = empty_moments(classes, channels, covariance, device=one.logits.device)
        fast, moments = self._run(
            kernels, one, averaging and one.averaging(), nothing._replace(mean=nothing.mean.double()),
            torch.zeros((), dtype=torch.int64, device=one.logits.device), 1, None)
        slow, expected = _expected(one, covariance)
        inputs = one.logits, one.weight
        found, wanted = ([loss, *each, *torch.autograd.grad(loss, inputs, materialize_grads=True, allow_unused=True)]
                         for loss, each in ((fast, moments), (slow, expected)))
        require_close(found, wanted, half)
        if int(expected.count.sum()):
            self._compared.add(kind)

    def raise_deferred(self) -> None:
        """Raise the errors of ``Verification`` and ``LabelErrors`` that the kernels noted. Synchronises."""
        watch, self._watch = self._watch, None
        if watch is None:
            return
        (least, most), worst = watch.extremes.tolist(), float(watch.worst)
        classes, ignore_index, tolerance = self._last
        if least <= most:
            raise invalid_labels(least, most, classes, ignore_index)
        if worst > 1:
            raise RuntimeError(stale_logits(worst * tolerance))
        self._watch = watch


def _supports(call: Call, averaging: Averaging | None, statistics: ClassStatistics) -> bool:
    """Return whether kernels compute a call: of maps, or of samples with a base loss that they know."""
    features, logits, labels = call.captured.features, call.logits, call.labels
    maps = logits.dim() == 4
    return (isinstance(features, Tensor) and features.dim() == logits.dim()
            and logits.shape == (len(labels), len(call.weight), *labels.shape[1:])
            and len(labels) == len(features) and logits.numel() > 0 and logits.requires_grad
            and features.dtype in DTYPES and labels.dtype in LABEL_DTYPES
            and call.weight.numel() < 1 << 31 and call.weight.is_contiguous()
            and not statistics.count.is_floating_point()
            and (maps and statistics.kind == 'diagonal' or logits.dim() == 2 and statistics.kind in ('diagonal', 'full')
                 and averaging is not None and call.background is None and len(logits) <= MOST_SAMPLES)
            and max(_span(features, maps), _span(logits, maps)) < 1 << 31)


def _span(tensor: Tensor, of_image: bool) -> int:
    """Return the number of elements in memory from the first to the last one of a tensor, or of an image in it."""
    return sum([(size - 1) * stride for size, stride in zip(tensor.shape[of_image:], tensor.stride()[of_image:],
                                                            strict=True)])


def _kind(call: Call, averaging: Averaging | None) -> tuple[Any, ...]:
    """Return what a kernel is compiled for: dtypes, layouts and options."""
    weighting = None if averaging is None else (averaging.number is None, averaging.class_weight is None,
                                                averaging.by_weight, averaging.gamma > 0)
    return (call.features.dim(), call.features.dtype, call.logits.dtype, call.weight.dtype, call.labels.dtype,
            call.features.stride(1) == 1, call.logits.stride(1) == 1, call.captured.bias is None,
            call.features.shape[2:] == call.labels.shape[1:], call.tau > 0, weighting)


def _samples(kernels: Any, call: Call, running: ClassMoments, index: Tensor, setting: Any,
             ranks: ClassStatistics | None) -> Tensor:
    """Update the moments in place by samples with classes ``index``, and return the loss."""
    count, _, covariance = running
    features, classes = call.features, index
    if ranks is not None:
        features, classes = ranks.gather(features, index)
        classes = torch.where(features.isfinite().all(dim=1), classes, -1)  # another rank may send what is not finite
    if covariance.dim() == 3:
        call.weight.new_empty(len(index), *call.weight.shape, dtype=torch.float32)  # no memory? before moments change
        kernels.sample_operators.update_full(features, classes, *running)
    kernels.sample_operators.update(features, classes, *running)
    counted = ranks is None and covariance.dim() == 2  # by the kernel of the rows
    if not counted:
        kernels.sample_operators.count_samples(classes, count)
    rows = kernels.sample_rows(call.weight, index, count if counted else None, covariance, call.strength)
    if call.tau:
        rows = rows + call.tau * log_prior(count)
    loss: Tensor = kernels.sample_cross_entropy(call.logits, call.labels, rows, setting)
    return loss


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
    (top, bottom, share_row), (left, right, share_column) = place.neighbours
    (first, below), (before, after) = ((max(one - 1, 0), min(two + 2, size)) for (one, two, _), size in
                                       zip(place.neighbours, (height, width), strict=True))
    around = [top * width + left, top * width + right, bottom * width + left, bottom * width + right,
              first * width + before, after - before, below - first]
    index, checks = kernels.operators.grid(
        features, labels, rows, columns, call.weight.detach(), call.captured.bias, logits, dropped, call.ignore_index,
        [place.image, *around, *place.pixel], [share_row, share_column])
    return index, checks


def _expected(call: Call, covariance: str) -> tuple[Tensor, ClassMoments]:
    """Return the loss of a batch by PyTorch's operators, from the moments of this batch alone."""
    classes = len(call.weight)
    labels, ignored = LabelErrors().mask_invalid(call.labels.long(), classes, call.ignore_index), classes + 1
    on_grid = labels_on_grid(labels, call.features.shape[2:], call.align_corners, call.label_sampling)
    moments = batch_moments(call.features, on_grid, classes, covariance, ignored)[0]
    adjustment = call.tau * log_prior(moments.count) if call.tau else None
    augmented = closed_form_logits(
        adjust_logits(call.logits, adjustment), without_class(labels, call.background, ignored), call.weight,
        moments.covariance, call.strength, ignore_index=ignored)
    return call.base_value([augmented], labels, ignored), moments
