"""ISDA as a torch loss: takes what entered the classifier, observes it, adds the table, calls the base loss."""
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.core import ClassStatistics, augment_logits, margin_variance
from isda_seg.core.bad_labels import BadLabels
from isda_seg.core.checks import check_logits
from isda_seg.core.device import constant, on_host
from isda_seg.core.functional import augment_samples, augmented_cross_entropy, can_fuse, cross_entropy
from isda_seg.core.moments import check_covariance
from isda_seg.core.precision import no_autocast
from isda_seg.core.schedule import check_strength
from isda_seg.core.upsampled import Grid
from isda_seg.grid import LABEL_SAMPLINGS, interpolation, labels_on_grid, resize
from isda_seg.handshake import Handshake
from isda_seg.records import Records

RESOLUTIONS = ('label', 'feature')
HALF = (torch.float16, torch.bfloat16)


class MeanCrossEntropy(nn.Module):
    """Cross-entropy, mean over labelled samples; 0 where nothing is labelled."""

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        return cross_entropy(logits, labels, ignore_index=ignore_index)


class ISDACriterion(nn.Module):
    """The ISDA loss around any cross-entropy-like base loss (Algorithm 1: observe, then loss).

    ``attach(loss, classifier)`` connects it; ``loss.strength`` is the current lambda, set by the training loop.
    Without gradients, or where it or the classifier is in eval mode, it is the base loss and touches nothing.

    Args:
        covariance: 'diagonal', 'full', 'shared' or 'identity'.
        resolution: 'label' adds rows gathered by the full-resolution labels (Eq. 7 at every labelled pixel); 'feature'
            gathers on the feature grid and upsamples like the logits (the authors' way).
        label_sampling: 'exact' takes the label at the pixel a feature sits on; 'nearest' is the paper's recipe.
        base: called as ``base(logits, labels, ignore_index=..., **kwargs)``; default mean cross-entropy.
        ignore_index: for calls that give none.
        sync: statistics over all ranks; False keeps them per rank, as the authors' code does.
        load_statistics: False ignores the statistics in a checkpoint, to fine-tune on other classes.
        strict: on a GPU too, a label outside the classes or a stale record is an error at once, at the price of waiting
            for the device in every step; False leaves such labels out and remembers both until ``raise_faults``.

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
        self.attached = False
        self.records = Records()
        self._handshake = Handshake()
        self._bad_labels = BadLabels()
        self._accepted = inspect.signature(self.base.forward).parameters

    def prepare(self, num_classes: int, channels: int) -> None:
        """Make the statistics, or check those loaded from a checkpoint; never resets them."""
        if self.statistics is None:
            self.statistics = ClassStatistics(num_classes, channels, self.covariance, self.sync)
        elif (self.statistics.num_classes, self.statistics.channels) != (num_classes, channels):
            raise ValueError(f'the statistics are of {self.statistics.num_classes} classes x '
                             f'{self.statistics.channels} channels, the classifier has {num_classes} x {channels}')

    def record(self, classifier: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor] | None = None) -> None:
        """Forward pre-hook of the classifier: keep what enters it until the loss takes it."""
        if self.training:
            self.records.keep(classifier, args[0] if args else (kwargs or {})['input'])

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int | None = None, **kwargs: Any) -> Tensor:
        """The base loss of the augmented logits.

        Args:
            logits: (N, C) or (B, C, H, W), resized to the labels by the head.
            labels: (N,) or (B, H, W).
            ignore_index: overrides that of the constructor.
            kwargs: handed to the base loss.

        Raises:
            RuntimeError: not attached, no forward pass since the last call, logits of another pass or classifier,
                inside a gradient-checkpointed block.
            ValueError: a bad strength, a keyword the base loss does not know, a label outside the classes, features of
                other channels than the statistics. Whatever is raised, nothing has been observed.
        """
        ignore_index = self.ignore_index if ignore_index is None else ignore_index
        if not (self.training and torch.is_grad_enabled()) or self.records.evaluate():
            return self._base(logits, labels, ignore_index, kwargs)
        if not self.attached:
            raise RuntimeError('this ISDA loss is not attached to a classifier: with OpenMMLab add '
                               "default_hooks = dict(isda=dict(type='ISDAHook')) to the config, in plain torch call "
                               'isda_seg.attach.attach(loss, classifier)')
        record, strength = self.records.last(), check_strength(self.strength)
        self._check_keywords(ignore_index, kwargs)
        with no_autocast(logits.device.type):
            index, none = self._checked(labels, logits, ignore_index)
            self._handshake.check(record, logits, self.align_corners)
            if self.strict:
                self.raise_faults()
            size = tuple(record.features.shape[2:])
            on_grid = labels_on_grid(index, size, self.align_corners, self.label_sampling)
            self.statistics.observe(record.features, on_grid, none)
            self.records.let_go()
            logits = logits.float() if logits.dtype in HALF else logits
            covariance = self.statistics.covariance
            if logits.dim() == 2:
                augmented, rows = augment_samples(logits, index, record.weight, covariance, strength, ignore_index=none)
                self.last_table = rows.detach()
                return self._augmented_base(augmented, index, none, ignore_index, kwargs)
            table = margin_variance(record.weight, covariance)
            self.last_table = table.detach()
            fusable = can_fuse(logits, strength) and (self.resolution == 'label' or on_host(logits))
            mean = self._mean(index, kwargs) if fusable else None
            if mean is not None:
                divisor, factor = mean
                return augmented_cross_entropy(logits, index, table, strength, ignore_index=none, divisor=divisor,
                                               factor=factor, grid=self._grid(on_grid, logits))
            if self.resolution == 'label':
                augmented = augment_logits(logits, index, table, strength, ignore_index=none)
            else:
                flat = logits.new_zeros(len(logits), logits.shape[1], *size)
                rows = augment_logits(flat, on_grid, table, strength, ignore_index=none)
                augmented = logits + resize(rows, tuple(logits.shape[2:]), self.align_corners)
            return self._augmented_base(augmented, index, none, ignore_index, kwargs)

    def _augmented_base(self, logits: Tensor, index: Tensor, none: int, ignore_index: int,
                        kwargs: dict[str, Any]) -> Tensor:
        """The base loss, with its own ignore index where that is another than core's."""
        if none == ignore_index or type(self.base) is MeanCrossEntropy:
            return self._base(logits, index, none, kwargs)
        ignored = constant(ignore_index, (), torch.int64, index.device)
        return self._base(logits, torch.where(index == none, ignored, index), ignore_index, kwargs)

    def raise_faults(self) -> None:
        """What a GPU has noted since the last call: bad labels, stale records, samples missed between ranks.

        Raises:
            ValueError: labels that are neither classes nor the ignore index.
            RuntimeError: logits that are not those of the recorded features; batches larger than the first step's.
        """
        self._bad_labels.raise_any()
        self._handshake.raise_failed()
        missed = 0 if self.statistics is None else self.statistics.missed()
        if missed:
            raise RuntimeError(f'{missed} samples found no room in the statistics of all ranks, because a batch was '
                               'larger than those of the first step: train with batches of one size, or sync=False')

    def _check_keywords(self, ignore_index: int, kwargs: dict[str, Any]) -> None:
        """ValueError for a keyword that the base loss does not know."""
        if any(known.kind is inspect.Parameter.VAR_KEYWORD for known in self._accepted.values()):
            return
        refused = [key for key in kwargs if key not in self._accepted]
        if refused:
            raise ValueError(f'the base loss {type(self.base).__name__} cannot take {refused}, which its caller (a '
                             f'head, or its pixel sampler) asks for; it takes {list(self._accepted)}: use another '
                             'base, or no sampler')

    def _checked(self, labels: Tensor, logits: Tensor, ignore_index: int) -> tuple[Tensor, int]:
        """Labels for core and their ignore index: on a device without the bad ones."""
        labels = check_logits(logits, labels, ignore_index, self.sources)
        if on_host(labels):
            return labels, ignore_index
        return self._bad_labels.leave_out(labels, logits.shape[1], ignore_index), logits.shape[1] + 1

    def _grid(self, on_grid: Tensor, logits: Tensor) -> Grid | None:
        """Where rows are chosen by labels on the feature grid: these, and the interpolation to the logits' size."""
        if self.resolution == 'label':
            return None
        matrices = (interpolation(small, large, self.align_corners, logits.dtype)
                    for small, large in zip(on_grid.shape[1:], logits.shape[2:], strict=True))
        return Grid(on_grid, *matrices)

    def _mean(self, labels: Tensor, kwargs: dict[str, Any]) -> tuple[float | None, float] | None:
        """The base loss as ``factor / divisor`` times the summed cross-entropy; None where it is another loss.

        A divisor of None is the number of labelled pixels.
        """
        return (None, 1.0) if type(self.base) is MeanCrossEntropy and not kwargs else None

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
        """A copy starts without what the last step of the original left."""
        return {**self.__dict__, 'last_table': None, '_accepted': None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._accepted = inspect.signature(self.base.forward).parameters
