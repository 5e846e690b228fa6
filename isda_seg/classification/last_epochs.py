"""The paper's measure: the mean test error of the last epochs."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

VALUES = 'validated'  # key in a checkpoint's meta


@HOOKS.register_module()
class LastEpochsHook(Hook):
    """Log the mean of a metric over the last epochs, and keep its value after every epoch in the checkpoints.

    A checkpoint is written before its own epoch is validated. So a resumed run starts with that validation, and it
    ends with the values of an uninterrupted one.

    Args:
        epochs: how many are averaged; the paper: 10.
        metric: one of the evaluator's.

    Raises:
        ValueError: while validating, the evaluator gives no such metric.
    """

    priority = 'LOWEST'  # when a resumed run validates first, every other hook is ready for it

    def __init__(self, epochs: int = 10, metric: str = 'top1_error') -> None:
        self.epochs, self.metric = epochs, metric
        self.values: dict[int, float] = {}

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Resuming goes on with the values known then."""
        if runner._resume:
            self.values = dict(checkpoint['meta'].get(VALUES, {}).get('values', {}))

    def before_train(self, runner: Any) -> None:
        """Validate what the checkpoint was saved before."""
        loop, epoch = runner.train_loop, runner.epoch
        due = runner.val_loop is not None and epoch >= max(1, loop.val_begin) and epoch % loop.val_interval == 0
        if due and epoch not in self.values:
            runner.val_loop.run()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Note the value after this many epochs."""
        if self.metric not in (metrics or {}):
            raise ValueError(f'LastEpochsHook averages {self.metric!r}, the evaluator gives {sorted(metrics or {})}')
        self.values[runner.epoch] = float(metrics[self.metric])

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Hand the values over."""
        checkpoint['meta'][VALUES] = dict(metric=self.metric, epochs=self.epochs, values=dict(self.values))

    def after_train(self, runner: Any) -> None:
        """The mean, in the log."""
        mean = last_mean(self.values, runner.epoch, self.epochs)
        if mean is not None:
            runner.logger.info(f'mean {self.metric} of the last {self.epochs} epochs: {mean:.4f}')


def last_mean(values: dict[int, float], epoch: int, epochs: int) -> float | None:
    """The mean of the values after the epochs up to this one; None unless all are known."""
    wanted = range(epoch - epochs + 1, epoch + 1)
    return sum(values[number] for number in wanted) / epochs if values.keys() >= set(wanted) else None


def with_last_mean(metrics: dict[str, float], meta: dict[str, Any]) -> dict[str, float]:
    """The metrics of a checkpoint, with the mean over its last epochs, of which it is the last.

    Args:
        meta: the checkpoint's.
    """
    known = meta.get(VALUES)
    if known is None or known['metric'] not in metrics:
        return metrics
    values = {**known['values'], meta['epoch']: metrics[known['metric']]}
    mean = last_mean(values, meta['epoch'], known['epochs'])
    return metrics if mean is None else {**metrics, f'{known["metric"]}_last{known["epochs"]}': mean}
