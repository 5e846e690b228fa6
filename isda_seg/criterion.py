"""ISDA as a torch loss: capture the classifier's input, observe it, add the table, call the base loss."""
from typing import Any

import torch
from torch import Tensor, nn

from isda_seg.attachment import base_losses, supported_losses
from isda_seg.attachment.captured_inputs import CapturedInputs
from isda_seg.attachment.held_statistics import HeldStatistics
from isda_seg.attachment.kernel_step import KernelStep
from isda_seg.attachment.label_errors import LabelErrors
from isda_seg.attachment.label_grid import LABEL_SAMPLINGS, labels_on_grid, without_class
from isda_seg.attachment.loss_call import Call
from isda_seg.attachment.ramp import Ramp
from isda_seg.attachment.training_warnings import CALLS, TrainingWarnings
from isda_seg.attachment.verification import Verification
from isda_seg.core import margin_variance
from isda_seg.core.averaging import Averaging
from isda_seg.core.functional import closed_form_logits, closed_form_loss
from isda_seg.core.logit_sampling import check_sample_count, sampled_logits
from isda_seg.core.moments import check_covariance
from isda_seg.core.ops.checks import check_choice, check_tensor
from isda_seg.core.ops.labels import is_soft
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.precision import no_autocast
from isda_seg.core.ops.upsampled import Grid
from isda_seg.core.prior import adjust_logits, log_prior
from isda_seg.core.schedule import check_strength

RESOLUTIONS = ('label', 'feature')
CHECK_EVERY = 64  # maximum number of training calls between two calls of raise_deferred_errors


class ISDACriterion(HeldStatistics):
    """The ISDA loss around a softmax cross-entropy base loss (Algorithm 1: observe, then loss).

    ``attach(loss, classifier)`` connects it. ``loss.strength`` is the current lambda, set by the training loop unless
    ``lambda_0`` and ``total_steps`` are given. In eval mode or without gradients it is just the base loss.

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
        resolution: 'label' adds table rows at every labelled pixel (Eq. 7). 'feature' adds them on the feature grid,
            upsampled like the logits, as the authors' code does.
        label_sampling: 'exact' takes the label at the pixel of a feature; 'nearest' follows the authors' code.
        base: called as ``base(logits, labels, ignore_index=..., **kwargs)``; default mean cross-entropy. Eq. 7 is
            an upper bound for cross-entropy, not for its smoothed part (``label_smoothing``; docs/method_card.md).
        ignore_index: default of the argument of ``forward``.
        sync: whether all ranks share statistics; False keeps them per rank, as the authors' code does. A checkpoint
            then holds those of the first rank, with which all ranks continue.
        load_statistics: False ignores the statistics in a checkpoint, to fine-tune on other classes.
        lambda_0, total_steps: final strength and optimizer steps of a linear ramp, which a checkpoint resumes.
        calls_per_step: training calls per optimizer step, for accumulated gradients.
        logit_adjustment: tau of logit adjustment by observed class frequencies (Menon et al., ICLR 2021); 0 for none.
        background: class of "the rest", such as 0 in torchvision's and the last one in MMDetection's box heads. Its
            samples are negatives without margins: its row of the table is 0. None: each class has its row.
        samples: None for the closed form (Eq. 7), or the number of Monte-Carlo samples in logit space (Eq. 5, Fig. 10).
        raise_at_once: defer no check on an accelerator (see ``forward``), at the cost of a synchronisation per step.

    Raises:
        ValueError: an invalid argument, or lambda_0 without total_steps or vice versa.
    """

    def __init__(self, covariance: str = 'diagonal', resolution: str = 'label', *, label_sampling: str = 'exact',
                 base: nn.Module | None = None, ignore_index: int = -100, sync: bool = True,
                 load_statistics: bool = True, raise_at_once: bool = False, lambda_0: float | None = None,
                 total_steps: int | None = None, calls_per_step: int = 1, samples: int | None = None,
                 logit_adjustment: float = 0.0, background: int | None = None) -> None:
        super().__init__()
        self.covariance = check_covariance(covariance)
        self.resolution = check_choice(resolution, RESOLUTIONS, 'resolution')
        self.label_sampling = check_choice(label_sampling, LABEL_SAMPLINGS, 'label_sampling')
        self.base = supported_losses.checked(base, ignore_index)
        self.factor, self.samples = 1.0, check_sample_count(samples)  # factor scales the base loss
        self.logit_adjustment = check_strength(logit_adjustment, 'logit_adjustment')
        self.ramp = Ramp.of(lambda_0, total_steps, calls_per_step)
        self.ignore_index, self.sync, self.load_statistics = ignore_index, sync, load_statistics
        self.raise_at_once, self.align_corners, self.background = raise_at_once, False, background
        self.captured, self._unchecked_calls = CapturedInputs(), 0
        self._verification, self._label_errors, self._kernel_step = Verification(), LabelErrors(), KernelStep()
        ramp_calls = self.ramp.total_steps * self.ramp.calls_per_step if self.ramp else CALLS
        self.warnings = TrainingWarnings(min(CALLS, ramp_calls))

    def capture(self, classifier: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Tensor] | None = None) -> None:
        """Capture the input of the classifier for the next call of the loss, as its forward pre-hook."""
        if self.training and self.captured.capture(classifier, args[0] if args else (kwargs or {})['input']):
            self.observe_skipped()

    @opaque
    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int | None = None, **kwargs: Any) -> Tensor:
        """Return the base loss of the augmented logits, a scalar by default.

        Invalid arguments and errors of the base loss leave statistics, captured features and ramp as they were. Without
        ``raise_at_once``, an accelerator defers two errors (``raise_deferred_errors``): labels outside the classes,
        which are ignored meanwhile, and after the first call logits of another forward pass.

        Args:
            logits: (N, C), or (B, C, ...) resized to the size of the labels: points, images or volumes.
            labels: (N,) or (B, ...); or class probabilities of the shape of the logits, which have no ignored samples.
            ignore_index: replaces the ignore index of the constructor.
            kwargs: passed on to the base loss.

        Raises:
            RuntimeError: not attached, no new forward pass, logits of another one, inside gradient checkpointing.
            ValueError: a bad strength, an unknown keyword of the base loss, a label outside the classes, features with
                other channels than the statistics.
        """
        ignore_index = int(self.ignore_index if ignore_index is None else ignore_index)
        base_losses.check_call(self.base, logits, ignore_index, kwargs)
        check_tensor(labels)
        if not (self.training and torch.is_grad_enabled()) or self.captured.in_eval_mode():
            if self._unchecked_calls:
                self.raise_deferred_errors()
            return base_losses.value(self.base, logits, labels, ignore_index, kwargs, self.factor)
        if self.statistics is None or not self.attached:
            raise RuntimeError('this ISDA loss is not attached to a classifier: with OpenMMLab add default_hooks = '
                               "dict(isda=dict(type='isda_seg.hooks.ISDAHook')) to the config, in plain torch call "
                               'isda_seg.attach.attach(loss, classifier)')
        strength = check_strength(self.ramp.strength() if self.ramp else self.strength)
        with no_autocast(logits.device.type):
            captured = self.captured.last(logits.shape)
            self.prepare(*captured.weight.shape)  # raises an error for a classifier whose weight has been replaced
            if self._unchecked_calls >= CHECK_EVERY:
                self.raise_deferred_errors()
            call = Call(captured, logits, labels, ignore_index, strength, self.logit_adjustment, self.background,
                        self.base, kwargs, self.factor, self.align_corners, self.label_sampling)
            closed_form = bool(strength or self.logit_adjustment) and not self.samples
            self._unchecked_calls += 1
            fast = closed_form and not self.raise_at_once and self.resolution == 'label'
            result = self._kernel_step.loss(call, self.statistics, self._verification) if fast else None
            result = self._by_operators(call, closed_form) if result is None else result
            self.captured.clear()
            if self.ramp:
                self.strength = self.ramp.advance()
            self.warnings.count_call(self.statistics, 'strength' not in vars(self) and not self.logit_adjustment)
            return result

    def _by_operators(self, call: Call, closed_form: bool) -> Tensor:
        """Observe the batch and return the loss, by PyTorch's operators."""
        captured, logits = call[:2]
        averaging = call.uniform_averaging() if closed_form and self.background is None else None
        labels, ignored = self._label_errors.check(call.labels, logits, call.ignore_index, self.sources)
        self._verification.check(captured, logits, self.align_corners)
        if self.raise_at_once or self._unchecked_calls >= CHECK_EVERY:
            self.raise_deferred_errors()
        on_grid = labels_on_grid(labels, captured.features.shape[2:], self.align_corners, self.label_sampling)
        undo = self.observe(captured.features, on_grid, ignored, reversible=averaging is None)
        try:
            return self._loss(call._replace(labels=labels), on_grid, ignored, averaging)
        except BaseException:
            undo()
            raise

    def _loss(self, call: Call, on_grid: Tensor, ignored: int, averaging: Averaging | None) -> Tensor:
        """Return the loss from the present statistics; ``ignored`` is the ignore index of the labels in ``call``."""
        logits, labels = call.logits, call.labels
        adjustment = call.tau * log_prior(self.statistics.count) if call.tau else None
        augmented_labels, on_grid = (without_class(each, self.background, ignored) for each in (labels, on_grid))
        grid = Grid(on_grid, self.align_corners) if self.resolution == 'feature' and logits.dim() > 2 else None
        arguments = augmented_labels, call.weight, self.statistics.covariance, call.strength
        if is_soft(logits, labels):
            return base_losses.soft_value(self.base, logits, *arguments, samples=self.samples, grid=grid,
                                          background=self.background, adjustment=adjustment, factor=self.factor)
        if averaging is not None:
            return closed_form_loss(logits, *arguments, ignore_index=ignored, averaging=averaging, grid=grid,
                                    adjustment=adjustment)
        logits, keys = adjust_logits(logits, adjustment), dict[str, Any](ignore_index=ignored, grid=grid)
        augmented = sampled_logits(logits, *arguments, self.samples, **keys) if self.samples and call.strength else \
            [closed_form_logits(logits, *arguments, **keys)]
        return call.base_value(augmented, labels, ignored)

    @torch.no_grad()
    def table(self) -> Tensor:
        """Return the margin table (C, C); of the last training call if the weight exists only in a forward pass."""
        weight = self.captured.weight()
        if self.statistics is None or weight is None:
            remedy = 'run the classifier of this copy once in training mode' if self.attached else 'call attach first'
            raise RuntimeError(f'this ISDA loss is not attached to a classifier, so it has no table: {remedy}')
        table = margin_variance(weight, self.statistics.covariance)
        if self.background is not None:
            table[self.background] = 0
        return table

    def raise_deferred_errors(self) -> None:
        """Raise deferred errors; ``forward`` does so every 64 calls, and at the first one in eval mode.

        Raises:
            ValueError: labels that are neither classes nor the ignore index.
            RuntimeError: logits that do not match the captured features; batches larger than those of the first step.
        """
        self._unchecked_calls = 0
        self._label_errors.raise_deferred()
        self._verification.raise_deferred()
        self._kernel_step.raise_deferred()
        if self.statistics is not None:
            self.statistics.raise_overflow()
