"""Mean of a metric over the last evaluations: the paper reports it because single evaluations are noisy."""
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop

VALUES = 'validated'  # key in a checkpoint's meta


@HOOKS.register_module()
class LastEvaluationsHook(Hook):
    """Log the mean of a metric over the last evaluations, and store all values in the checkpoints.

    A checkpoint is written before its validation. A resumed run therefore starts with that validation, and ends with
    the values of an uninterrupted run.

    Args:
        last: number of evaluations to average; the paper uses 10 epochs.
        metric: name of a metric of the evaluator.
    """

    priority = 'LOWEST'  # every other hook is ready when a resumed run starts with a validation

    def __init__(self, last: int = 10, metric: str = 'top1_error') -> None:
        self.last, self.metric = last, metric
        self.values: dict[int, float] = {}  # by the number of completed epochs or iterations

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the values at resume."""
        if runner._resume:
            self.values = dict(checkpoint['meta'].get(VALUES, {}).get('values', {}))

    def before_train(self, runner: Any) -> None:
        """Run the validation that was due after the checkpoint was saved."""
        loop, done = runner.train_loop, _done(runner)
        due = runner.val_loop is not None and done >= max(1, loop.val_begin) and done % loop.val_interval == 0
        if due and done not in self.values:
            runner.val_loop.run()

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Store the value of the metric."""
        metrics = metrics or {}
        if self.metric not in metrics:
            raise ValueError(f'LastEvaluationsHook averages {self.metric!r}, but the evaluator returns '
                             f'{sorted(metrics)}. Set the hook\'s metric to one of these')
        self.values[_done(runner)] = float(metrics[self.metric])

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the values to the checkpoint."""
        loop = runner.train_loop
        checkpoint['meta'][VALUES] = dict(metric=self.metric, last=self.last, values=dict(self.values),
                                          every=loop.val_interval, by_epoch=isinstance(loop, EpochBasedTrainLoop))

    def after_train(self, runner: Any) -> None:
        """Log the mean."""
        mean = last_mean(self.values, _done(runner), self.last, runner.train_loop.val_interval)
        if mean is not None:
            runner.logger.info(f'mean {self.metric} of the last {self.last} evaluations: {mean:.4f}')


def _done(runner: Any) -> int:
    """Return the number of completed epochs, or of iterations in iteration-based training."""
    return int(runner.epoch if isinstance(runner.train_loop, EpochBasedTrainLoop) else runner.iter)


def last_mean(values: dict[int, float], done: int, last: int, every: int = 1) -> float | None:
    """Return the mean of the last values, spaced by ``every``; None if any of them is missing."""
    wanted = range(done - (last - 1) * every, done + 1, every)
    return sum(values[number] for number in wanted) / last if values.keys() >= set(wanted) else None


def with_last_mean(metrics: dict[str, float], cfg: Config, checkpoint: dict[str, Any]) -> dict[str, float]:
    """Add the mean over the last evaluations, including this one, if the test data are the validation data."""
    meta = checkpoint.get('meta', {})
    known = meta.get(VALUES)
    validated = (cfg.get('val_dataloader') or {}).get('dataset')
    if known is None or known['metric'] not in metrics or cfg.test_dataloader.dataset != validated:
        return metrics
    done = meta['epoch' if known['by_epoch'] else 'iter']
    values = {**known['values'], done: metrics[known['metric']]}
    mean = last_mean(values, done, known['last'], known['every'])
    return metrics if mean is None else {**metrics, f'{known["metric"]}_last{known["last"]}': mean}
