"""ISDA as a torch loss: takes what entered the classifier, observes it, adds the table, calls the base loss."""
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.attachment import base_losses
from isda_seg.attachment.captured_inputs import CapturedInputs
from isda_seg.attachment.label_errors import LabelErrors
from isda_seg.attachment.label_grid import LABEL_SAMPLINGS, labels_on_grid
from isda_seg.attachment.ramp import Ramp
from isda_seg.attachment.verification import Verification
from isda_seg.core import ClassStatistics, isda_cross_entropy, margin_variance
from isda_seg.core.logit_draws import augmented_logits, check_samples
from isda_seg.core.moments import check_covariance
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import no_autocast
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.prior import adjust_logits, log_prior
from isda_seg.core.schedule import check_strength

RESOLUTIONS = ('label', 'feature')
ASK_EVERY = 64  # steps after which deferred errors are raised where nobody else has called raise_faults


class ISDACriterion(nn.Module):
    """The ISDA loss around any cross-entropy-like base loss (Algorithm 1: observe, then loss).

    ``attach(loss, classifier)`` connects it; ``loss.strength`` is the current lambda, set by the training loop unless
    ``lambda_0`` and ``total_steps`` are given. Without gradients or in eval mode it is the base loss, without effects.

    >>> from isda_seg.attach import attach
    >>> classifier, features = nn.Linear(8, 3), torch.eye(8).repeat(3, 1)
    >>> criterion = ISDACriterion(covariance='full', lambda_0=0.5, total_steps=4)
    >>> attach(criterion, classifier)
    >>> for step in range(4):
    ...     criterion(classifier(features), torch.arange(24) % 3).backward()
    >>> criterion.statistics.count.tolist(), criterion.strength
    ([32, 32, 32], 0.5)

    Args:
        covariance: 'diagonal' (the authors' final strength: 7.5), 'full' (0.5 on CIFAR), 'shared' or 'identity'.
        resolution: 'label' adds rows gathered by the full-resolution labels (Eq. 7 at every labelled pixel); 'feature'
            gathers on the feature grid and upsamples like the logits (the authors' way).
        label_sampling: 'exact' takes the label at the pixel a feature sits on; 'nearest' is the paper's recipe.
        base: called as ``base(logits, labels, ignore_index=..., **kwargs)``; default mean cross-entropy.
        ignore_index: for calls that give none.
        sync: statistics over all ranks; False keeps them per rank, as the authors' code does.
        load_statistics: False ignores the statistics in a checkpoint, to fine-tune on other classes.
        lambda_0, total_steps, calls_per_step: the strength grows to lambda_0 in so many steps of the optimizer, counted
            by training calls (``calls_per_step`` where gradients are accumulated) in a buffer that resumes.
        logit_adjustment: tau; training adds ``tau * log prior`` to the logits, the prior being the class frequency that
            the statistics count (Menon et al., ICLR 2021, Eq. 10). It raises the recall of rare classes; 0 is off.
        samples: None trains with the bound (Eq. 7), M with the mean loss of M draws (Eq. 5; the paper's Fig. 10), made
            where only C numbers move: at the logits. Memory and time grow with M.
        raise_at_once: on a GPU, defer no check (see ``forward``), at the price of a synchronisation in every step.

    Raises:
        ValueError: an unknown or bad value of any argument, lambda_0 or total_steps alone.
    """

    statistics: ClassStatistics     # None before it is attached or a checkpoint is loaded
    sources: Sequence[str] | None   # the file of each sample in the batch, for messages

    def __init__(self, covariance: str = 'diagonal', resolution: str = 'label', *, label_sampling: str = 'exact',
                 base: nn.Module | None = None, ignore_index: int = -100, sync: bool = True,
                 load_statistics: bool = True, raise_at_once: bool = False, lambda_0: float | None = None,
                 total_steps: int | None = None, calls_per_step: int = 1, samples: int | None = None,
                 logit_adjustment: float = 0.0) -> None:
        super().__init__()
        if resolution not in RESOLUTIONS:
            raise ValueError(f'resolution must be one of {RESOLUTIONS}, got {resolution!r}')
        if label_sampling not in LABEL_SAMPLINGS:
            raise ValueError(f'label_sampling must be one of {LABEL_SAMPLINGS}, got {label_sampling!r}')
        self.covariance, self.resolution, self.label_sampling = check_covariance(covariance), resolution, label_sampling
        self.base = base_losses.MeanCrossEntropy() if base is None else base
        self.factor, self.samples = 1.0, check_samples(samples)  # factor: of the base loss
        self.logit_adjustment = check_strength(logit_adjustment, 'logit_adjustment')
        self.ramp = Ramp.of(lambda_0, total_steps, calls_per_step)
        self.ignore_index, self.sync, self.load_statistics = ignore_index, sync, load_statistics
        self.raise_at_once, self.strength, self.attached, self.align_corners = raise_at_once, 0.0, False, False
        self.statistics, self.sources, self.captured = None, None, CapturedInputs()  # type: ignore[assignment]
        self._verification, self._label_errors, self._unasked = Verification(), LabelErrors(), 0

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
            self.captured.keep(classifier, args[0] if args else (kwargs or {})['input'])

    @opaque
    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int | None = None, **kwargs: Any) -> Tensor:
        """The base loss of the augmented logits.

        Args:
            logits: (N, C), (B, C, H, W), resized to the labels by the head, or (B, C, P) of points.
            labels: (N,), (B, H, W) or (B, P).
            ignore_index: overrides that of the constructor.
            kwargs: handed to the base loss.

        Returns:
            what the base loss returns: a scalar unless it is told otherwise.

        Raises:
            RuntimeError: not attached, no new forward pass, logits of another one, inside gradient checkpointing.
            ValueError: a bad strength, a keyword the base loss does not know, a label outside the classes, features of
                other channels than the statistics.
            Both precede the observation of the batch. Without ``raise_at_once`` a GPU defers two checks, and observes
                and trains on the batch: labels outside the classes, ignored meanwhile, and after the first step logits
                of another pass. Errors of the base loss itself follow the observation.
        """
        ignore_index = self.ignore_index if ignore_index is None else ignore_index
        base_losses.check_keywords(self.base, ignore_index, kwargs)
        if not (self.training and torch.is_grad_enabled()) or self.captured.evaluate():
            return base_losses.value(self.base, logits, labels, ignore_index, kwargs, self.factor)
        if self.statistics is None or not self.attached:
            raise RuntimeError('this ISDA loss is not attached to a classifier: with OpenMMLab add default_hooks = '
                               "dict(isda=dict(type='isda_seg.hooks.ISDAHook')) to the config, in plain torch call "
                               'isda_seg.attach.attach(loss, classifier)')
        points = logits.dim() == 3  # (B, C, P) of a Conv1d: a map of one column
        logits, labels = (logits[..., None], labels[..., None]) if points else (logits, labels)
        record = self.captured.last(logits.shape)
        strength = check_strength(self.ramp.strength() if self.ramp else self.strength)
        with no_autocast(logits.device.type):
            index, none = self._label_errors.check(labels, logits, ignore_index, self.sources)
            self._verification.check(record, logits, self.align_corners)
            self._unasked += 1
            if self.raise_at_once or self._unasked >= ASK_EVERY:
                self.raise_faults()
            on_grid = labels_on_grid(index, tuple(record.features.shape[2:]), self.align_corners, self.label_sampling)
            self.statistics.observe(record.features, on_grid, none, checked=True)
            self.captured.let_go()
            if self.ramp:
                self.strength = self.ramp.count()
            adjustment = self.logit_adjustment * log_prior(self.statistics.count) if self.logit_adjustment else None
            closed = (strength or self.logit_adjustment) and not self.samples
            divisor = base_losses.divisor(self.base, index, none, kwargs, self.factor) if closed else None
            grid = Grid(on_grid, self.align_corners) if self.resolution == 'feature' and logits.dim() > 2 else None
            augmented = index, record.weight, self.statistics.covariance, strength
            if divisor is not None:
                return isda_cross_entropy(logits, *augmented, ignore_index=none, divisor=divisor, grid=grid,
                                          checked=True, adjustment=adjustment)
            labels, ignore_index = base_losses.with_own_ignore_index(self.base, index, none, ignore_index)
            labels = labels.squeeze(-1) if points else labels
            logits_of_draws = augmented_logits(adjust_logits(logits, adjustment), *augmented, self.samples,
                                               ignore_index=none, grid=grid)
            drawn = (each.squeeze(-1) if points else each for each in logits_of_draws)
            return base_losses.mean_value(self.base, drawn, labels, ignore_index, kwargs, self.factor)

    @torch.no_grad()
    def table(self) -> Tensor:
        """The table (C, C) of the classifier's present weight; RuntimeError if the loss is not attached."""
        weight = self.captured.weight()
        if self.statistics is None or weight is None:
            raise RuntimeError('this ISDA loss is not attached to a classifier, so there is no table')
        return margin_variance(weight, self.statistics.covariance)

    def raise_faults(self) -> None:
        """Raise the errors that a GPU has deferred since the last call; called every 64 steps where nobody else does.

        Raises:
            ValueError: labels that are neither classes nor the ignore index.
            RuntimeError: logits that are not those of the recorded features; batches larger than the first step's.
        """
        self._unasked = 0
        self._label_errors.raise_any()
        self._verification.raise_failed()
        if self.statistics is not None:
            self.statistics.raise_missed()

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        """Unattached, as in a test without the hook, the statistics take the checkpoint's shape; else it must agree."""
        if not self.load_statistics:
            keys = [key for key in state_dict if key.startswith((f'{prefix}statistics.', f'{prefix}ramp.'))]
            own = self.state_dict(prefix=prefix)
            for key in keys:
                state_dict.pop(key)
            state_dict.update({key: own[key] for key in keys if key in own})  # found, hence not missing
        elif (mean := state_dict.get(f'{prefix}statistics.mean')) is not None:
            if self.statistics is None:
                self.prepare(*mean.shape)
            if self.ramp:
                self.ramp.expect(state_dict, f'{prefix}ramp.calls')
        super()._load_from_state_dict(state_dict, prefix, *args)
