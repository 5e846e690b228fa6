"""ISDA as a torch loss: takes what entered the classifier, observes it, adds the table, calls the base loss."""
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.compat import in_backward
from isda_seg.core import ClassStatistics, augment_logits, margin_variance
from isda_seg.core.checks import check_labels, labelled, outside
from isda_seg.core.functional import augment_samples, augmented_cross_entropy, can_fuse, cross_entropy
from isda_seg.core.moments import check_covariance
from isda_seg.grid import LABEL_SAMPLINGS, labels_on_grid, resize

RESOLUTIONS = ('label', 'feature')
HALF = (torch.float16, torch.bfloat16)


class Record(NamedTuple):
    """What entered the classifier in the last forward pass, and the classifier's parameters then."""
    features: Tensor     # (N, A) or (B, A, h, w), detached
    weight: Tensor       # (C, A, ...)
    bias: Tensor | None  # (C,)


class MeanCrossEntropy(nn.Module):
    """Cross-entropy, mean over labelled samples; 0 where nothing is labelled."""

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        return cross_entropy(logits, labels, ignore_index=ignore_index)


class ISDACriterion(nn.Module):
    """The ISDA loss around any cross-entropy-like base loss (Algorithm 1: observe, then loss).

    ``attach(loss, classifier)`` connects it; ``loss.strength`` is the current lambda, set by the training loop.
    Without gradients, or in eval mode, it is the base loss and touches nothing.

    Args:
        covariance: 'diagonal', 'full', 'shared' or 'identity'.
        resolution: 'label' adds rows gathered by the full-resolution labels (Eq. 7 at every labelled pixel); 'feature'
            gathers on the feature grid and upsamples like the logits (the authors' way).
        label_sampling: 'exact' takes the label at the pixel a feature sits on; 'nearest' is the paper's recipe.
        base: called as ``base(logits, labels, ignore_index=..., **kwargs)``; default mean cross-entropy.
        ignore_index: for calls that give none.
        sync: statistics over all ranks; False keeps them per rank, as the authors' code does.
        load_statistics: False ignores the statistics in a checkpoint, to fine-tune on other classes.
        strict: on a GPU too, a label outside the classes is an error at once, at the price of waiting for the device;
            False ignores and counts such labels until ``raise_bad_labels`` is called.

    Raises:
        ValueError: an unknown covariance, resolution or label sampling.
    """

    def __init__(self, covariance: str = 'diagonal', resolution: str = 'label', *, label_sampling: str = 'exact',
                 base: nn.Module | None = None, ignore_index: int = -100, sync: bool = True,
                 load_statistics: bool = True, strict: bool = True) -> None:
        super().__init__()
        if resolution not in RESOLUTIONS:
            raise ValueError(f'resolution must be one of {RESOLUTIONS}, got {resolution!r}')
        if label_sampling not in LABEL_SAMPLINGS:
            raise ValueError(f'label_sampling must be one of {LABEL_SAMPLINGS}, got {label_sampling!r}')
        self.covariance, self.resolution, self.label_sampling = check_covariance(covariance), resolution, label_sampling
        self.base = MeanCrossEntropy() if base is None else base
        self.ignore_index, self.sync, self.load_statistics, self.strict = ignore_index, sync, load_statistics, strict
        self.statistics: ClassStatistics | None = None
        self.strength = 0.0
        self.align_corners = False
        self.sources: Sequence[str] | None = None  # file of each sample in the batch, for messages
        self.last_table: Tensor | None = None      # (C, C), or (N, C) the rows of N samples; for the log
        self._record: Record | None = None
        self._verified = False
        self._bad_labels: Tensor | None = None     # (2,) how many and one of them, where a GPU counts them
        self.attached = False

    def prepare(self, num_classes: int, channels: int) -> None:
        """Make the statistics, or check those loaded from a checkpoint; never resets them."""
        if self.statistics is None:
            self.statistics = ClassStatistics(num_classes, channels, self.covariance, self.sync)
        elif (self.statistics.num_classes, self.statistics.channels) != (num_classes, channels):
            raise ValueError(f'the statistics are of {self.statistics.num_classes} classes x '
                             f'{self.statistics.channels} channels, the classifier has {num_classes} x {channels}')

    def record(self, classifier: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Forward pre-hook of the classifier: keep what enters it until the loss takes it."""
        if self.training and not in_backward():  # there a checkpointed classifier is computed again
            self._record = Record(inputs[0].detach(), classifier.weight, classifier.bias)  # type: ignore[arg-type]

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int | None = None, **kwargs: Any) -> Tensor:
        """The base loss of the augmented logits.

        Args:
            logits: (N, C) or (B, C, H, W), resized to the labels by the head.
            labels: (N,) or (B, H, W).
            ignore_index: overrides that of the constructor.
            kwargs: handed to the base loss.

        Raises:
            RuntimeError: not attached, no forward pass since the last call, logits of another classifier.
            ValueError: a label outside the classes, features of other channels than the statistics.
        """
        ignore_index = self.ignore_index if ignore_index is None else ignore_index
        if not (self.training and torch.is_grad_enabled()):
            return self._base(logits, labels, ignore_index, kwargs)
        record = self._take()
        with torch.autocast(logits.device.type, enabled=False):
            labels = self._checked(labels, logits.shape[1], ignore_index)
            self._verify(record, logits)
            logits = logits.float() if logits.dtype in HALF else logits
            size = tuple(record.features.shape[2:])
            on_grid = labels_on_grid(labels, size, self.align_corners, self.label_sampling)
            self.statistics.observe(record.features, on_grid, ignore_index)
            weight, covariance = record.weight.flatten(1), self.statistics.covariance
            if logits.dim() == 2:
                augmented, rows = augment_samples(logits, labels, weight, covariance, self.strength,
                                                  ignore_index=ignore_index)
                self.last_table = rows.detach()
                return self._base(augmented, labels, ignore_index, kwargs)
            table = margin_variance(weight, covariance)
            self.last_table = table.detach()
            divisor = self._divisor(labels, ignore_index, kwargs) if can_fuse(logits, self.strength) else None
            if divisor is not None:
                shares = None if self.resolution == 'label' else self._shares(on_grid, logits, ignore_index)
                return augmented_cross_entropy(logits, labels, table, self.strength, ignore_index=ignore_index,
                                               divisor=divisor, shares=shares)
            if self.resolution == 'label':
                augmented = augment_logits(logits, labels, table, self.strength, ignore_index=ignore_index)
            else:
                flat = logits.new_zeros(len(logits), logits.shape[1], *size)
                rows = augment_logits(flat, on_grid, table, self.strength, ignore_index=ignore_index)
                augmented = logits + resize(rows, tuple(logits.shape[2:]), self.align_corners)
            return self._base(augmented, labels, ignore_index, kwargs)

    def _shares(self, on_grid: Tensor, logits: Tensor, ignore_index: int) -> Tensor:
        """How much each class's row counts at each pixel when rows on the feature grid are upsampled: (B, C, H, W)."""
        classes = logits.shape[1]
        member = F.one_hot(torch.where(labelled(on_grid, ignore_index), on_grid, classes), classes + 1)
        return resize(member[..., :classes].movedim(-1, 1).to(logits.dtype), tuple(logits.shape[2:]),
                      self.align_corners)

    def raise_bad_labels(self) -> None:
        """ValueError if a GPU has counted labels outside the classes since the last call."""
        if self._bad_labels is not None:
            count, example = self._bad_labels.tolist()
            self._bad_labels = None
            if count:
                raise ValueError(f'{count} labels are neither classes nor the ignore index, {example} for example')

    def _take(self) -> Record:
        if not self.attached:
            raise RuntimeError('this ISDA loss is not attached to a classifier: with OpenMMLab add '
                               "default_hooks = dict(isda=dict(type='ISDAHook')) to the config, in plain torch call "
                               'isda_seg.attach.attach(loss, classifier)')
        if self._record is None:
            raise RuntimeError('this ISDA loss was called without a new forward pass of its classifier: one forward '
                               'pass serves one call (is the loss called twice, or the classifier not used?)')
        record, self._record = self._record, None
        return record

    def _checked(self, labels: Tensor, num_classes: int, ignore_index: int) -> Tensor:
        """The labels; eager errors on a CPU, counted and ignored on a GPU until ``raise_bad_labels``."""
        labels = check_labels(labels, num_classes, ignore_index, self.sources)
        if labels.device.type == 'cpu':
            return labels
        bad = outside(labels, num_classes, ignore_index)
        self._count_bad(labels, bad)
        if self.strict:
            self.raise_bad_labels()
        return labels.masked_fill(bad, ignore_index)

    def _count_bad(self, labels: Tensor, bad: Tensor) -> None:
        """Add to how many labels were bad, and keep the largest as an example, without waiting for the device."""
        count, example = bad.sum(), torch.where(bad, labels, torch.iinfo(torch.int64).min).max()
        if self._bad_labels is not None:
            count, example = count + self._bad_labels[0], torch.maximum(example, self._bad_labels[1])
        self._bad_labels = torch.stack([count, example])

    @torch.no_grad()
    def _verify(self, record: Record, logits: Tensor) -> None:
        """At the first step, the recorded features through the classifier must give the logits that came."""
        if self._verified or logits.numel() == 0:
            return
        half = record.features.dtype in HALF or logits.dtype in HALF
        features, weight = record.features[:1].float(), record.weight.float()
        bias = None if record.bias is None else record.bias.float()
        if features.dim() == 2:
            again = F.linear(features, weight, bias)
        else:
            again = resize(F.conv2d(features, weight, bias), tuple(logits.shape[2:]), self.align_corners)
        if again.shape != logits[:1].shape:
            raise RuntimeError(f'the recorded features give logits of shape {tuple(again.shape)}, the loss got '
                               f'{tuple(logits[:1].shape)}: this is not the classifier that made them')
        error, scale = float((again - logits[:1].float()).abs().max()), float(again.abs().max())
        allowed = (5e-2 if half else 1e-2) * (scale + 1e-6)
        if error > allowed:
            raise RuntimeError(f'the recorded features through the classifier differ from the logits the loss got by '
                               f'{error:.3g} (largest logit {scale:.3g}, align_corners={self.align_corners}): ISDA '
                               'needs a head whose logits are its one classifier, resized bilinearly')
        self._verified = error <= allowed  # NaN: at the next step

    def _divisor(self, labels: Tensor, ignore_index: int, kwargs: dict[str, Any]) -> float | None:
        """What the base loss divides the summed cross-entropy of labelled pixels by; None where it is another loss."""
        if type(self.base) is not MeanCrossEntropy or kwargs:
            return None
        return float(labelled(labels, ignore_index).sum().clamp(min=1))

    def _base(self, logits: Tensor, labels: Tensor, ignore_index: int, kwargs: dict[str, Any]) -> Tensor:
        return self.base(logits, labels, ignore_index=ignore_index, **kwargs)  # type: ignore[no-any-return]

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Unattached, as in a test without the hook, the statistics take the checkpoint's shape; else it must agree."""
        keys = [key for key in state_dict if key.startswith(f'{prefix}statistics.')]
        if not self.load_statistics:
            own = {} if self.statistics is None else self.statistics.state_dict(prefix=f'{prefix}statistics.')
            for key in keys:
                state_dict.pop(key)
            state_dict.update({key: own[key] for key in keys if key in own})  # found, hence not missing
        elif keys:
            mean, covariance = (state_dict[f'{prefix}statistics.{name}'] for name in ('mean', 'covariance'))
            if self.statistics is None:
                self.prepare(*mean.shape)
            needed = (self.statistics.mean.shape, self.statistics.covariance.shape)
            if needed != (mean.shape, covariance.shape):
                raise ValueError(
                    f'{prefix}statistics: the checkpoint holds a mean of shape {tuple(mean.shape)} and a covariance of '
                    f'shape {tuple(covariance.shape)}, this model needs {tuple(needed[0])} and {tuple(needed[1])} '
                    f'(covariance={self.covariance!r}). Use the model and covariance the checkpoint was trained with, '
                    'or load_statistics=False in this loss to start with fresh statistics')
        super()._load_from_state_dict(state_dict, prefix, *args)

    def __getstate__(self) -> dict[str, Any]:
        """A copy starts without the record of the original."""
        return {**self.__dict__, '_record': None, 'last_table': None}
