"""The mean of a metric over the last evaluations: the paper's test error; a single one is noisy."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop

VALUES = 'validated'  # key in a checkpoint's meta


@HOOKS.register_module()
class LastEvaluationsHook(Hook):
    """Log the mean of a metric over the last evaluations, and keep the value of every one in the checkpoints.

    A checkpoint is written before it is validated. So a resumed run starts with that validation, and it ends with the
    values of an uninterrupted one.

    Args:
        last: how many are averaged; the paper: 10 epochs.
        metric: one of the evaluator's.

    Raises:
        ValueError: while validating, the evaluator gives no such metric.
    """

    priority = 'LOWEST'  # when a resumed run validates first, every other hook is ready for it

    def __init__(self, last: int = 10, metric: str = 'top1_error') -> None:
        self.last, self.metric = last, metric
        self.values: dict[int, float] = {}  # by how many epochs, or iterations, were done

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Resuming goes on with the values known then."""
        if runner._resume:
            self.values = dict(checkpoint['meta'].get(VALUES, {}).get('values', {}))

    def before_train(self, runner: Any) -> None:
        """Validate what the checkpoint was saved before."""
        loop, done = runner.train_loop, _done(runner)
        due = runner.val_loop is not None and done >= max(1, loop.val_begin) and done % loop.val_interval == 0
        if due and done not in self.values:
            runner.val_loop.run()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Note the value."""
        if self.metric not in (metrics or {}):
            raise ValueError(f'LastEvaluationsHook averages {self.metric!r}, the evaluator gives '
                             f'{sorted(metrics or {})}')
        self.values[_done(runner)] = float(metrics[self.metric])

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Hand the values over."""
        checkpoint['meta'][VALUES] = dict(metric=self.metric, last=self.last, values=dict(self.values),
                                          every=runner.train_loop.val_interval, by_epoch=_by_epoch(runner))

    def after_train(self, runner: Any) -> None:
        """The mean, in the log."""
        mean = last_mean(self.values, _done(runner), self.last, runner.train_loop.val_interval)
        if mean is not None:
            runner.logger.info(f'mean {self.metric} of the last {self.last} evaluations: {mean:.4f}')


def _done(runner: Any) -> int:
    """Epochs, or iterations where training does not count epochs."""
    return int(runner.epoch if _by_epoch(runner) else runner.iter)


def _by_epoch(runner: Any) -> bool:
    return isinstance(runner.train_loop, EpochBasedTrainLoop)


def last_mean(values: dict[int, float], done: int, last: int, every: int = 1) -> float | None:
    """The mean of the last values up to this point, one after ``every`` epochs; None unless all are known."""
    wanted = range(done - (last - 1) * every, done + 1, every)
    return sum(values[number] for number in wanted) / last if values.keys() >= set(wanted) else None


def with_last_mean(metrics: dict[str, float], meta: dict[str, Any]) -> dict[str, float]:
    """The metrics of a checkpoint, with the mean over its last evaluations, of which it is the last.

    Args:
        meta: the checkpoint's.
    """
    known = meta.get(VALUES)
    if known is None or known['metric'] not in metrics:
        return metrics
    done = meta['epoch' if known['by_epoch'] else 'iter']
    values = {**known['values'], done: metrics[known['metric']]}
    mean = last_mean(values, done, known['last'], known['every'])
    return metrics if mean is None else {**metrics, f'{known["metric"]}_last{known["last"]}': mean}
