"""The loss by kernels: moments of a batch, table rows, cross-entropy, and their gradients."""
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.core.averaging import Averaging
from isda_seg.core.kernels import operators, require_close, sample_operators
from isda_seg.core.kernels.splits import Parts
from isda_seg.core.margin import label_margin_variance, margin_variance
from isda_seg.core.moments import ClassMoments
from isda_seg.core.ops.quadratic import require_unchanged


class Watch:
    """What the kernels of one stream note on the device: labels outside the classes, logits of another pass."""

    def __init__(self, device: torch.device) -> None:
        self.extremes = torch.full((2,), 2 ** 31 - 1, dtype=torch.int32, device=device)
        self.extremes[1:].fill_(-2 ** 31)  # a tensor made of a list would wait for the device
        self.worst = torch.zeros((), dtype=torch.float32, device=device)
        self.arrived = torch.zeros((), dtype=torch.int32, device=device)


class _MergedTable(torch.autograd.Function):
    """Merge the moments of a batch into the running ones; rows ``strength / 2 * table + tau * log prior`` (Eq. 7)."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, parts: Parts, running: ClassMoments,
                strength: float, tau: float, background: int) -> tuple[Tensor, ...]:
        count, mean, covariance, copy, rows = operators.merge(*parts, *running, weight, strength / 2, tau, background)
        ctx.save_for_backward(weight, copy)
        ctx.strength = strength
        ctx.mark_non_differentiable(count, mean, covariance)
        ctx.set_materialize_grads(False)  # no zeros for the moments
        return rows, count, mean, covariance

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        weight, covariance = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            rows = ctx.strength / 2 * margin_variance(weight, covariance)
            return *torch.autograd.grad(rows, weight, grad, create_graph=True), *[None] * 5
        return operators.weight_gradient(grad.contiguous(), weight, covariance, ctx.strength), *[None] * 5


class _SampleRows(torch.autograd.Function):
    """Table rows of the labels of samples, and the weight's gradient from what the forward pass keeps."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, index: Tensor, count: Tensor | None, covariance: Tensor,
                strength: float) -> Tensor:
        rows: Tensor
        rows, kept = sample_operators.sample_rows(index, count, covariance, weight, strength / 2)
        ctx.save_for_backward(weight, index, kept)
        ctx.strength, ctx.covariance, ctx.version = strength, covariance, covariance._version
        return rows

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        weight, index, kept = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            valid = index < len(weight)
            labels = torch.where(valid, index, 0)
            if kept.dim() == 3:
                require_unchanged(ctx.covariance, ctx.version)
                forms = label_margin_variance(weight, ctx.covariance, labels)
            else:
                forms = (kept[:, None] * (weight[None] - weight[labels][:, None]).square()).sum(dim=-1)
            rows = ctx.strength / 2 * valid[:, None] * forms
            return *torch.autograd.grad(rows, weight, grad, create_graph=True), *[None] * 4
        grad = grad.contiguous()
        own = sample_operators.own_gradient(grad, index, kept, weight)
        return (sample_operators.samples_weight_gradient(grad, own, index, kept, weight, ctx.strength), *[None] * 4)


class LossSetting(NamedTuple):
    """Arguments of the loss of a batch that have no gradient."""
    ignore_index: int
    averaging: Averaging
    watch: Watch
    checks: Tensor          # from ``operators.grid``
    tolerance: float        # of the comparison in ``checks``
    weight_size: int        # number of elements of the classifier's weight
    by_sample: bool = False


class _CrossEntropy(torch.autograd.Function):
    """Cross-entropy of ``logits + rows[label]``, averaged as ``setting.averaging`` says.

    The backward pass computes the softmax again, so that nothing of the logits' size is kept, and applies the scale of
    mixed precision in float32.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, class_weight: Tensor | None,
                setting: LossSetting) -> Tensor:
        averaging, watch = setting.averaging, setting.watch
        total: Tensor
        total, scale = operators.loss(
            logits, labels, rows, class_weight, setting.checks, watch.extremes, watch.worst, watch.arrived,
            setting.ignore_index, averaging.factor / (averaging.number or 1), averaging.number is None,
            averaging.by_weight, averaging.gamma, averaging.least, setting.tolerance, setting.weight_size,
            setting.by_sample)
        ctx.save_for_backward(logits, labels, rows, class_weight, scale)
        ctx.setting = setting
        return total

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        logits, labels, rows, class_weight, scale = ctx.saved_tensors
        setting = ctx.setting
        if torch.is_grad_enabled():  # second derivative
            inputs = [x for x, needed in ((logits, ctx.needs_input_grad[0]), (rows, ctx.needs_input_grad[2])) if needed]
            loss = _differentiable_loss(logits, labels, rows, setting)
            gradients = iter(torch.autograd.grad(loss, inputs, grad_output, create_graph=True))
            grad, grad_rows = (next(gradients) if ctx.needs_input_grad[i] else None for i in (0, 2))
        else:
            grad, sums, present = operators.gradient(
                logits, labels, rows, class_weight, grad_output.contiguous(), scale, setting.ignore_index,
                setting.averaging.gamma, setting.by_sample)
            grad_rows = sums if setting.by_sample else operators.sum_programs(sums, present)
        return grad, None, grad_rows, None, None


def _differentiable_loss(logits: Tensor, labels: Tensor, rows: Tensor, setting: LossSetting) -> Tensor:
    """Compute the loss by PyTorch's operators, for a second derivative."""
    labels = labels.long()
    valid = (labels >= 0) & (labels < logits.shape[1]) & (labels != setting.ignore_index)
    labels = torch.where(valid, labels, -100)
    added = rows.t()[None] if setting.by_sample else (rows[labels.clamp(min=0)] * valid[..., None]).movedim(-1, 1)
    return setting.averaging.of(F.cross_entropy(logits.float() + added, labels, reduction='none'), labels, -100)


class _AddRows(torch.autograd.Function):
    """Logits with the rows of their labels, and labels in which each one outside the classes is ignored."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, rows: Tensor, setting: LossSetting) -> tuple[Tensor, Tensor]:
        augmented, clean = operators.add_rows(
            logits, labels, rows, setting.checks, setting.watch.extremes, setting.watch.worst, setting.ignore_index,
            setting.tolerance, setting.weight_size)
        ctx.save_for_backward(clean)
        ctx.ignore_index, ctx.dtype = setting.ignore_index, logits.dtype
        ctx.mark_non_differentiable(clean)
        return augmented, clean

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        clean, = ctx.saved_tensors
        if torch.is_grad_enabled():  # second derivative
            valid = clean != ctx.ignore_index
            values = (grad * valid[:, None]).movedim(1, -1).flatten(0, 1)
            sums = grad.new_zeros(grad.shape[1], grad.shape[1])
            return grad.to(ctx.dtype), None, sums.index_add(0, torch.where(valid, clean, 0).flatten(), values), None
        sums = operators.sum_programs(*operators.label_sums(grad, clean, ctx.ignore_index))
        return grad.to(ctx.dtype), None, sums, None


def merged_table(weight: Tensor, parts: Parts, running: ClassMoments, strength: float, tau: float,
                 background: int | None = None) -> tuple[Tensor, ClassMoments]:
    """Return rows ``strength / 2 * table + tau * log prior`` (C, C), and the running moments merged with a batch.

    The row of the class ``background`` is ``tau * log prior`` alone.
    """
    rows, *moments = _MergedTable.apply(  # type: ignore[no-untyped-call]
        weight, parts, running, float(strength), float(tau), -1 if background is None else background)
    return rows, ClassMoments(*moments)


def sample_rows(weight: Tensor, index: Tensor, count: Tensor | None, covariance: Tensor, strength: float) -> Tensor:
    """Return ``strength / 2 * table[label]`` (N, C) for class indices (N,).

    With diagonal covariances it also adds the samples to ``count``.
    """
    rows: Tensor = _SampleRows.apply(weight, index, count, covariance, strength)  # type: ignore[no-untyped-call]
    return rows


def setting_of(logits: Tensor, ignore_index: int | None, averaging: Averaging) -> LossSetting:
    """Return the setting for a loss that compares nothing."""
    return LossSetting(-1 if ignore_index is None else ignore_index, averaging, Watch(logits.device),
                   logits.new_empty(0, 4, dtype=torch.float32), 1.0, 1)


def map_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, setting: LossSetting) -> Tensor:
    """Return the cross-entropy of ``logits + rows[label]``, averaged as ``setting.averaging`` says.

    Pixels with the ignored label, or one outside the classes, have no loss and no gradient.

    Args:
        logits: (N, C, P), float32 or half precision.
        labels: (N, P) integers.
        rows: (C, C) float32.
        setting: its ``watch`` notes labels outside the classes, and the comparison in ``checks``.
    """
    labels = labels if labels.stride(1) == 1 else labels.contiguous()
    result: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits, labels, rows.contiguous(), setting.averaging.class_weight, setting)
    return result


def sample_cross_entropy(logits: Tensor, labels: Tensor, rows: Tensor, setting: LossSetting) -> Tensor:
    """Compute ``map_cross_entropy`` of samples: logits (N, C) and labels (N,), with a row (N, C) for each sample."""
    result: Tensor = _CrossEntropy.apply(  # type: ignore[no-untyped-call]
        logits.t()[None], labels.contiguous()[None], rows, setting.averaging.class_weight,
        setting._replace(by_sample=True))
    return result


def add_rows(logits: Tensor, labels: Tensor, rows: Tensor, setting: LossSetting) -> tuple[Tensor, Tensor]:
    """Return ``logits + rows[label]`` (N, C, P) in float32, and int64 labels (N, P) without those outside the classes.

    Arguments are those of ``map_cross_entropy``.
    """
    labels = labels if labels.stride(1) == 1 else labels.contiguous()
    augmented, clean = _AddRows.apply(logits, labels, rows.contiguous(), setting)  # type: ignore[no-untyped-call]
    return augmented, clean


def compare_small(device: torch.device, dtype: torch.dtype, channels_last: bool) -> None:
    """Compare loss and gradients of a small map with those of PyTorch.

    Raises:
        ArithmeticError: they differ.
    """
    values = torch.linspace(-4, 4, 2 * 3 * 300, dtype=torch.float32, device=device).view(2, 3, 300).sin().to(dtype)
    logits = (values.mT.contiguous().mT if channels_last else values).requires_grad_()
    labels = (torch.arange(600, device=device) // 50 % 4).view(2, 300)  # 3 is outside the classes
    rows = torch.linspace(0, 1, 9, dtype=torch.float32, device=device).view(3, 3).requires_grad_()
    masked = torch.where(labels < 3, labels, -100)
    augmented = logits.float() + rows[labels.clamp(max=2)].movedim(-1, 1)
    inputs = logits, rows
    for number in (1, None):
        loss = map_cross_entropy(logits, labels, rows, setting_of(logits, -100, Averaging(number)))
        expected = F.cross_entropy(augmented, masked, reduction='mean' if number is None else 'sum')
        require_close([loss, *torch.autograd.grad(loss, inputs)],
                      [expected, *torch.autograd.grad(expected, inputs, retain_graph=True)], dtype)
