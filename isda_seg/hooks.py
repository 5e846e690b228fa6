"""ISDAHook: which losses become ISDA losses and when, how their strength grows, what the log shows."""
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook, LoggerHook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS

from isda_seg.core import linear_ramp
from isda_seg.losses import isda_around
from isda_seg.openmmlab.left_out import LeftOut
from isda_seg.openmmlab.log_values import scalars
from isda_seg.openmmlab.pairs import Pair
from isda_seg.openmmlab.unused_losses import check_held
from isda_seg.openmmlab.wrapping import serve

RAMPS = ('linear', 'constant')


@HOOKS.register_module()
class ISDAHook(Hook):
    """Serve the model's softmax losses, ramp their strength, log strength and table.

    Args:
        lambda_0: with it, every softmax loss that can be served becomes an ``ISDALoss`` around itself; an ISDALoss that
            the config names keeps its own keys. Without, those are all.
        heads: which heads are served: names as the log gives them, or '-name' for all but that one; None: all.
        by_epoch: False ramps per iteration, ``linear_ramp(iter + 1, max_iters, lambda_0)``; True per epoch counted
            from 0, as the authors' classification code.
        ramp: 'linear', or 'constant' for lambda_0 from the first iteration on (Table 8).
        keys: covariance, resolution, ... of the losses it makes, as in ``ISDALoss``.

    Raises:
        ValueError: another ramp or key; before the run, nothing to serve, an ISDALoss that cannot be served. At the
            logger's interval the errors that a GPU has deferred: see ``ISDACriterion.raise_faults``.
    """

    priority = 'VERY_HIGH'  # before EMAHook copies the model

    def __init__(self, lambda_0: float | None = None, heads: str | Sequence[str] | None = None, by_epoch: bool = False,
                 ramp: str = 'linear', **keys: Any) -> None:
        if ramp not in RAMPS:
            raise ValueError(f'ramp must be one of {RAMPS}, got {ramp!r}')
        self.heads, self.by_epoch, self.ramp = [heads] if isinstance(heads, str) else heads, by_epoch, ramp
        self.make = None if lambda_0 is None and not (keys or heads) else isda_around(lambda_0, **keys)
        self.pairs: list[Pair] = []
        self.left_out = LeftOut()

    def before_run(self, runner: Any) -> None:
        """Wrap and attach; precedes loading and resuming, so that statistics in a checkpoint find their place."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        check_held(runner.cfg.get('model'), model)
        self.pairs, lines = serve(model, self.make, self.heads)
        for line in lines:
            runner.logger.info(line)

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
        for pair in self.pairs:
            pair.loss.raise_faults()
        for key, value in scalars(self.pairs).items():
            runner.message_hub.update_scalar(f'train/{key}', value)
        loader = runner.train_dataloader
        classes = (getattr(loader.dataset, 'metainfo', None) or {}).get('classes') or ()
        for sentence in self.left_out.sentences(self.pairs, runner.iter + 1, len(loader), classes):
            runner.logger.warning(sentence)
