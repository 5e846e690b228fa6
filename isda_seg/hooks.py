"""ISDAHook: when ISDA losses are attached, how their strength grows, what the log shows."""
from typing import Any

from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from isda_seg.attach import Pair, attach, find_pairs
from isda_seg.core import linear_ramp

RAMPS = ('linear', 'constant')


@HOOKS.register_module()
class ISDAHook(Hook):
    """Attach every ISDALoss of the model, ramp its strength, log strength and table.

    Args:
        by_epoch: False ramps per iteration, ``linear_ramp(iter + 1, max_iters, lambda_0)``; True per epoch counted
            from 0, as the authors' classification code.
        ramp: 'linear', or 'constant' for lambda_0 from the first iteration on (Table 8).

    Raises:
        ValueError: another ramp; before the run, a head without exactly one softmax classifier; while logging, labels
            outside the classes that a GPU has left out.
    """

    priority = 'VERY_HIGH'  # before EMAHook copies the model

    def __init__(self, by_epoch: bool = False, ramp: str = 'linear') -> None:
        if ramp not in RAMPS:
            raise ValueError(f'ramp must be one of {RAMPS}, got {ramp!r}')
        self.by_epoch, self.ramp = by_epoch, ramp
        self.pairs: list[Pair] = []
        self.warned = 0

    def before_run(self, runner: Any) -> None:
        """Attach; precedes loading and resuming, so that statistics in a checkpoint find their place."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.pairs = list(find_pairs(model))
        if not self.pairs:
            runner.logger.warning('ISDAHook: the model has no ISDALoss, nothing is augmented')
        for name, holder, loss, classifier in self.pairs:
            attach(loss, classifier, getattr(holder, 'align_corners', False))
            runner.logger.info(f'ISDA: {name} ({type(holder).__name__}), {loss.statistics.num_classes} classes x '
                               f'{loss.statistics.channels} channels, lambda_0={loss.lambda_0}, '
                               f'covariance={loss.covariance}, resolution={loss.resolution}')

    def before_train(self, runner: Any) -> None:
        """A ramp by epochs needs epochs."""
        if self.ramp == 'linear' and self.by_epoch and runner.max_epochs < 2:
            raise ValueError('ISDAHook(by_epoch=True) needs a training loop of at least 2 epochs: here the strength '
                             'would stay 0; use by_epoch=False')

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Set the strength of this iteration (lambda = t/T lambda_0)."""
        step, total = (runner.epoch, runner.max_epochs) if self.by_epoch else (runner.iter + 1, runner.max_iters)
        step = total if self.ramp == 'constant' else step
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        samples = samples if isinstance(samples, (list, tuple)) else ()  # or labels in one tensor
        sources = [getattr(sample, 'seg_map_path', getattr(sample, 'img_path', '?')) for sample in samples]
        for pair in self.pairs:
            loss: Any = pair.loss  # an ISDALoss, which knows its lambda_0
            loss.strength, loss.sources = linear_ramp(step, total, loss.lambda_0), sources or None

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """At the logger's interval: strength, mean and largest table entry per head, and what was left out."""
        logger = next((hook for hook in runner.hooks if isinstance(hook, LoggerHook)), None)
        interval = getattr(logger, 'interval', 10)
        if not (self.every_n_inner_iters(batch_idx, interval) or self.end_of_epoch(runner.train_dataloader, batch_idx)
                or self.is_last_train_iter(runner)):
            return
        heads = [pair.name for pair in self.pairs]
        for name, _, loss, _ in self.pairs:
            loss.raise_faults()
            own = f'{loss.loss_name}_' if heads.count(name) > 1 else 'isda_'
            prefix = f'train/{name}.{own}' if name else f'train/{own}'
            scalars = dict(strength=loss.strength)
            table = loss.table()
            scalars['table_mean'] = float(table.sum()) / (len(table) * (len(table) - 1))
            scalars['table_max'] = float(table.max())
            for key, value in scalars.items():
                runner.message_hub.update_scalar(prefix + key, value)
        self._warn_dropped(runner)

    def _warn_dropped(self, runner: Any) -> None:
        dropped = sum(int(pair.loss.statistics.dropped) for pair in self.pairs)
        if dropped > self.warned:
            runner.logger.warning(f'ISDA: {dropped} labelled features were not finite and left out of the statistics')
            self.warned = dropped
