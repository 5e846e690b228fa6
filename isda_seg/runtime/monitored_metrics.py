"""Check before training that a validation gives the metrics that the hooks and schedules of a config name."""
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hooks import CheckpointHook, EarlyStoppingHook, Hook
from mmengine.optim.scheduler.param_scheduler import ReduceOnPlateauParamScheduler
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop

from isda_seg.metrics.best_metric import direction
from isda_seg.metrics.last_evaluations import LastEvaluationsHook
from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime.isolation import undisturbed
from isda_seg.runtime.signals import validates

WAITS = 'early_stopping'  # key in a checkpoint's meta: wait count and best score of each EarlyStoppingHook


def set_rules(cfg: Config) -> None:
    """Set the ``rule`` of each EarlyStoppingHook and ReduceOnPlateau schedule that has none from its metric; in place.

    The default of these schedules is 'less', also for an accuracy.
    """
    for node in dicts([cfg.get('default_hooks'), cfg.get('custom_hooks'), cfg.get('param_scheduler')]):
        plateau = type_name(node).startswith('ReduceOnPlateau')
        rule = direction(node.get('monitor', '')) if plateau or type_name(node) == 'EarlyStoppingHook' else None
        if rule is not None and node.get('rule') is None:
            node['rule'] = rule


@HOOKS.register_module()
class MonitoredMetricsHook(Hook):
    """Check before training that a validation will give the metrics that a config names.

    ``save_best``, EarlyStoppingHook, LastEvaluationsHook and ReduceOnPlateau schedules name metrics. The log reports an
    EarlyStoppingHook that waits for more validations than the run has.

    The names come from an evaluation of the first validation batch with the untrained model, which changes no state. An
    evaluator that cannot evaluate one batch is not checked.

    A checkpoint holds the state of each EarlyStoppingHook, so that a resumed run stops where the whole one does.
    """

    priority = 'LOWEST'

    def before_train(self, runner: Any) -> None:
        """Raise ValueError if the validation will not give a metric that the config names."""
        named = monitored(runner)
        unit = 'epoch' if isinstance(runner.train_loop, EpochBasedTrainLoop) else 'iter'
        last = getattr(runner.train_loop, f'max_{unit}s')
        if runner.val_loop is None or runner.train_loop.val_begin > last:
            if not named:
                return
            why = 'the config has no val_dataloader, val_cfg and val_evaluator' if runner.val_loop is None else \
                f'train_cfg.val_begin is {runner.train_loop.val_begin} and training ends at {unit} {last}'
            raise ValueError(f'{_sentence(named)}, but the run has no validation: {why}')
        named.update({hook.metric: 'LastEvaluationsHook.metric' for hook in runner.hooks
                      if isinstance(hook, LastEvaluationsHook)})
        if not named:
            return
        left = sum(validates(runner.train_loop, done, last) for done in range(getattr(runner, unit) + 1, last + 1))
        for hook in _early_stopping(runner):
            if hook.stopping_threshold is None and hook.patience > left - 2:
                runner.logger.warning(
                    f'EarlyStoppingHook cannot stop this run early: with patience={hook.patience}, it stops at the '
                    f'earliest after {hook.patience + 1} validations, and this run has {left}. Decrease patience or '
                    'train_cfg.val_interval')
        try:
            given = given_metrics(runner)
        except Exception as error:  # any evaluator of a user, with one batch
            runner.logger.info(f'the monitored metrics cannot be checked before the first validation: {error!r}')
            return
        missing = {name: option for name, option in named.items() if given and name not in given}
        if missing:
            raise ValueError(f'{_sentence(missing)}, but the evaluator gives {", ".join(given)}. Name one of these, or '
                             'add a metric to val_evaluator')

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Save the wait count and the best score of each EarlyStoppingHook."""
        checkpoint['meta'][WAITS] = [(hook.wait_count, float(hook.best_score)) for hook in _early_stopping(runner)]

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore them at resume."""
        waits = checkpoint['meta'].get(WAITS, ()) if runner._resume else ()
        for hook, state in zip(_early_stopping(runner), waits, strict=False):
            hook.wait_count, hook.best_score = state


def _early_stopping(runner: Any) -> list[EarlyStoppingHook]:
    return [hook for hook in runner.hooks if isinstance(hook, EarlyStoppingHook)]


def monitored(runner: Any) -> dict[str, str]:
    """Return the metrics that hooks of a runner name, each with the option that names it."""
    named = {}
    for hook in runner.hooks:
        if isinstance(hook, CheckpointHook):
            named.update({name: 'save_best' for name in hook.save_best or () if name != 'auto'})
        elif isinstance(hook, EarlyStoppingHook):
            named[hook.monitor] = 'EarlyStoppingHook.monitor'
    schedules = runner.param_schedulers.values() if isinstance(runner.param_schedulers, dict) else \
        [runner.param_schedulers]
    named.update({one.monitor: f'{type(one).__name__}.monitor' for several in schedules for one in several or ()
                  if isinstance(one, ReduceOnPlateauParamScheduler)})
    return named


def given_metrics(runner: Any) -> list[str]:
    """Return the names of the metrics that the validation gives, from its first batch."""
    loader, evaluator = runner.val_dataloader, runner.val_loop.evaluator
    before, runner.logger.disabled = runner.logger.disabled, True  # no table of one batch in the log
    try:
        with torch.no_grad(), undisturbed(runner.model):
            indices = next(iter(loader.batch_sampler))
            batch = loader.collate_fn([loader.dataset[index] for index in indices])
            evaluator.process(data_samples=runner.model.val_step(batch), data_batch=batch)
            return list(evaluator.evaluate(len(indices) * runner.world_size))
    finally:
        runner.logger.disabled = before
        for metric in evaluator.metrics:
            metric.results.clear()


def _sentence(named: dict[str, str]) -> str:
    return ' and '.join(f'{option} names {name!r}' for name, option in named.items())
