"""ISDAHook: wrap losses before the run, ramp their strength, and log strength and margin table."""
from collections.abc import Sequence
from typing import Any, Literal

from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from isda_seg.core import kernels, linear_ramp
from isda_seg.core.ops.checks import check_choice
from isda_seg.losses import wrap_with_isda
from isda_seg.openmmlab.log_values import scalars
from isda_seg.openmmlab.pairs import HookedPair
from isda_seg.openmmlab.statistics_warnings import StatisticsWarnings
from isda_seg.openmmlab.unused_losses import check_unused
from isda_seg.openmmlab.wrapping import wrap_losses


@HOOKS.register_module()
class ISDAHook(Hook):
    """Wrap the softmax losses of a model, ramp their strength, and log strength and margin table.

    Args:
        lambda_0: wrap every supported softmax loss in an ``ISDALoss`` of this final strength. An ISDALoss in the config
            keeps its own keys. None wraps no loss.
        heads: names of the heads whose losses are wrapped, or '-name' to exclude one; None for all.
        by_epoch: False ramps per iteration, ``linear_ramp(iter + 1, max_iters, lambda_0)``. True ramps per epoch,
            counted from 0, as the authors' classification code does.
        ramp: 'linear', or 'constant' for lambda_0 from the first iteration (Table 8).
        keys: covariance, resolution and other keys of ``ISDALoss`` for the wrapped losses.

    Raises:
        ValueError: an unknown ramp or key. Before the run: no loss to wrap, or an ISDALoss that is not supported.
    """

    priority = 'VERY_HIGH'  # before EMAHook copies the model

    def __init__(self, lambda_0: float | None = None, heads: str | Sequence[str] | None = None, by_epoch: bool = False,
                 ramp: Literal['linear', 'constant'] = 'linear', **keys: Any) -> None:
        self.heads, self.by_epoch = [heads] if isinstance(heads, str) else heads, by_epoch
        self.ramp = check_choice(ramp, ('linear', 'constant'), 'ramp')
        self.make = None if lambda_0 is None and not (keys or heads) else wrap_with_isda(lambda_0, **keys)
        self.pairs: list[HookedPair] = []
        self.warnings = StatisticsWarnings()

    def before_run(self, runner: Any) -> None:
        """Wrap and attach the losses before a checkpoint is loaded, so that its statistics can be loaded too."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_unused(runner.cfg.get('model'), model)
        self.pairs, lines = wrap_losses(model, self.make, self.heads)
        for line in lines:
            runner.logger.info(line)

    def before_train(self, runner: Any) -> None:
        """Check that a ramp by epoch has at least 2 epochs, and announce the compilation of kernels."""
        if self.ramp == 'linear' and self.by_epoch and runner.max_epochs < 2:
            raise ValueError('ISDAHook(by_epoch=True) needs a training loop of at least 2 epochs, otherwise the '
                             f'strength stays 0; got {runner.max_epochs}. Use by_epoch=False')
        if any(kernels.used_on(pair.loss.statistics.count.device) for pair in self.pairs):
            runner.logger.info(f'ISDA: {kernels.COMPILES}')

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Set the strength of this iteration (lambda = t/T lambda_0)."""
        step, total = (runner.epoch, runner.max_epochs) if self.by_epoch else (runner.iter + 1, runner.max_iters)
        step = total if self.ramp == 'constant' else step
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        samples = samples if isinstance(samples, (list, tuple)) else ()  # a tensor of labels has no file names
        sources = [f'{getattr(one, "seg_map_path", getattr(one, "img_path", "?"))} after transforms' for one in samples]
        for pair in self.pairs:
            pair.loss.strength, pair.loss.sources = linear_ramp(step, total, pair.loss.lambda_0), sources or None

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Log strength, mean and largest table entry per head, and raise deferred errors, at the logger's interval."""
        logger = next((hook for hook in runner.hooks if isinstance(hook, LoggerHook)), None)
        if not (self.every_n_inner_iters(batch_idx, getattr(logger, 'interval', 10))
                or self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner)):
            return
        for pair in self.pairs:
            pair.loss.raise_deferred_errors()
        for key, value in scalars(self.pairs).items():
            runner.message_hub.update_scalar(f'train/{key}', value)
        loader = runner.train_dataloader
        classes = (getattr(loader.dataset, 'metainfo', None) or {}).get('classes') or ()
        for message in self.warnings.new(self.pairs, runner.iter + 1, min(len(loader), runner.max_iters), classes):
            runner.logger.warning(message)
