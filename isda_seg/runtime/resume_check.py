"""A resumed run is the unbroken one, or says in what it differs and goes on rightly, or does not go on."""
import copy
import logging
import warnings
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS

from isda_seg.runtime.fingerprint import fingerprint

MADE_BY = 'made_by'  # key in a checkpoint's meta
ANEW = 'or start anew from its weights: leave --resume out and add --cfg-options load_from=CHECKPOINT'
WORDS = dict(data='other training images or labels', optimizer='another optimizer', batch='another batch size',
             accumulated='another number of steps per update')


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Write ``fingerprint`` into every checkpoint, and compare it where training resumes.

    What is equal goes on bitwise. A schedule or length that changed goes on with the rates that the new schedule has at
    this place; in training by epochs, so does another batch size or number of ranks. Other augmentation goes on. All
    three are said. A checkpoint without fingerprint is resumed as MMEngine does.

    Raises:
        ValueError: at resume, other images or labels, another optimizer, another batch in training by iterations,
            nothing left to train, or a schedule that follows a measure and was changed.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.own: dict[str, Any] | None = None
        self.refit = False

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Compare; the checkpoint's epoch is not the runner's yet."""
        made_by = checkpoint['meta'].get(MADE_BY) if runner._resume else None
        if made_by is None:
            return
        own = self._own(runner)
        differ = {key for key in own if own[key] != made_by.get(key)}
        stops = differ & ({'data', 'optimizer'} if own['steps'] else {'data', 'optimizer', 'batch', 'accumulated'})
        if stops:
            what = ' and '.join(WORDS[key] for key in sorted(stops))
            raise ValueError(f'the checkpoint was trained with {what}{_numbers(made_by, own, stops)}: go on with what '
                             f'it was trained with, {ANEW}')
        unit = 'epoch' if own['steps'] else 'iter'
        done = checkpoint['meta'][unit]
        if 'length' in differ and own['length'] <= done:
            raise ValueError(f'nothing is left to train: the checkpoint has {unit} {done}, and train_cfg.max_{unit}s '
                             f'is {own["length"]}')
        self.refit = bool(differ & {'length', 'schedule', 'steps', 'batch', 'accumulated'})
        if differ - {'images'}:
            print_log(f'resuming with {", ".join(sorted(differ))} changed{_numbers(made_by, own, differ)}: '
                      + ('learning rate and strength are those that the new schedule has here' if self.refit else
                         'from here on'), 'current', logging.WARNING)

    def before_train(self, runner: Any) -> None:
        """Put counter and schedules where the new run would be."""
        if not self.refit:
            return
        steps = self._own(runner)['steps']
        if steps:
            runner.train_loop._iter = runner.epoch * steps
        refit_schedulers(runner, steps)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Hand the fingerprint over."""
        checkpoint['meta'][MADE_BY] = self._own(runner)

    def _own(self, runner: Any) -> dict[str, Any]:
        """Once a run: to read every entry of a large dataset takes seconds."""
        if self.own is None:
            self.own = fingerprint(runner)
        return self.own


def _numbers(made_by: dict[str, Any], own: dict[str, Any], keys: set[str]) -> str:
    """What changed, of what is a number: from, to."""
    parts = [f'{key} {made_by[key]}, now {own[key]}' for key in sorted(keys | {'images'})
             if isinstance(own[key], int) and made_by.get(key) != own[key]]
    return f' ({"; ".join(parts)})' if parts else ''


def refit_schedulers(runner: Any, steps: int | None) -> None:
    """New schedules of the config, stepped to where training is, in the order in which training steps them.

    Args:
        steps: of an epoch; None where training counts no epochs.

    Raises:
        ValueError: a schedule that follows a measure.
    """
    if runner.cfg.get('param_scheduler') is None:
        return
    wrapper = runner.optim_wrapper
    for optimizer in (inner.optimizer for inner in (wrapper.values() if hasattr(wrapper, 'values') else [wrapper])):
        for group in optimizer.param_groups:
            group.update({key.removeprefix('initial_'): value for key, value in group.items()
                          if key.startswith('initial_')})
    runner.param_schedulers = runner.build_param_scheduler(copy.deepcopy(runner.cfg.param_scheduler))
    built = runner.param_schedulers
    flat = [one for several in (built.values() if isinstance(built, dict) else [built]) for one in several]
    if any(getattr(one, 'need_val_args', False) for one in flat):
        raise ValueError('a schedule that follows a measure cannot be changed at resume: put the old one back, ' + ANEW)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # that no optimizer stepped in between
        for iteration in range(1, runner.iter + 1):
            due = [False, True] if steps and iteration % steps == 0 else [False]
            for by_epoch in due:
                for one in flat:
                    if one.by_epoch == by_epoch:
                        one.step()
