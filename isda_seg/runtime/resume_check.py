"""Compare the training setup of a resumed run with that of its checkpoint."""
import copy
import logging
import warnings
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS

from isda_seg.runtime.exact_resume import ResumableEpochLoop
from isda_seg.runtime.fingerprint import fingerprint

MADE_BY = 'made_by'  # key in a checkpoint's meta
ANEW = ("or start a new run from the checkpoint's weights: omit --resume and add --cfg-options "
        'load_from=CHECKPOINT')
WORDS = dict(data='different training images or labels', optimizer='a different optimizer',
             batch='a different batch size', accumulated='a different number of steps per update')


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Write ``fingerprint`` into every checkpoint, and compare it at resume.

    With an equal fingerprint the run continues bitwise. With a changed schedule or length it continues with the
    learning rate of the new schedule at this step; in epoch-based training this holds also for a changed batch size or
    number of ranks, if the images already used in the epoch are a whole number of new batches. Changed augmentation
    takes effect from here on. The log reports each change. Errors are changed images, labels or optimizer, a changed
    batch size in iteration-based training, and a changed schedule that depends on a metric. A checkpoint without a
    fingerprint is resumed without these checks.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self.own: dict[str, Any] | None = None
        self.refit, self.done = False, 0

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Compare the fingerprints; the runner does not have the checkpoint's epoch yet."""
        meta = checkpoint['meta']
        saved = meta.get(MADE_BY) if runner._resume else None
        if saved is None:
            return
        own = self._own(runner)
        if own['steps'] and saved['steps']:
            self.done = in_new_batches(meta['iter'] - meta['epoch'] * saved['steps'], saved, own)
            if self.done and not isinstance(runner.train_loop, ResumableEpochLoop):
                raise ValueError(f'{type(runner.train_loop).__name__} cannot resume inside an epoch. Resume from a '
                                 'checkpoint of the end of an epoch, or use EpochBasedTrainLoop')
        differ = {key for key in own if own[key] != saved.get(key)}
        stops = differ & ({'data', 'optimizer'} if own['steps'] else {'data', 'optimizer', 'batch', 'accumulated'})
        if stops:
            what = ' and '.join(WORDS[key] for key in sorted(stops))
            raise ValueError(f'the checkpoint was trained with {what}{_changed_numbers(saved, own, stops)}. Use the '
                             f'same setup, {ANEW}')
        unit = 'epoch' if own['steps'] else 'iter'
        done = checkpoint['meta'][unit]
        if 'length' in differ and own['length'] <= done:
            raise ValueError(f'no training is left: the checkpoint is at {unit} {done}, and train_cfg.max_{unit}s '
                             f'is {own["length"]}. Increase train_cfg.max_{unit}s')
        self.refit = bool(differ & {'length', 'schedule', 'steps', 'batch', 'accumulated'})
        if differ - {'images'}:
            print_log(f'resuming with {", ".join(sorted(differ))} changed{_changed_numbers(saved, own, differ)}: '
                      + ('learning rate and strength follow the new schedule at this step' if self.refit else
                         'it takes effect from here on'), 'current', logging.WARNING)

    def before_train(self, runner: Any) -> None:
        """Set the iteration counter and the schedules to their values in an uninterrupted run with the new setup."""
        if not self.refit:
            return
        steps = self._own(runner)['steps']
        if steps:
            runner.train_loop._iter = runner.epoch * steps + self.done
        refit_schedulers(runner, steps)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the fingerprint to the checkpoint."""
        checkpoint['meta'][MADE_BY] = self._own(runner)

    def _own(self, runner: Any) -> dict[str, Any]:
        """Return the cached fingerprint; computing it takes seconds for a large dataset."""
        if self.own is None:
            self.own = fingerprint(runner)
        return self.own


def in_new_batches(done: int, saved: dict[str, Any], own: dict[str, Any]) -> int:
    """Return how many batches of the new size (``own``) equal ``done`` batches of an epoch of the checkpoint.

    Both fingerprints count images over all ranks.
    """
    if not 0 < done < saved['steps']:
        return int(own['steps']) if done else 0
    images = done * saved['batch']
    if images % own['batch']:
        raise ValueError(f'the checkpoint was saved within an epoch, after {images} images, which do not fill a whole '
                         f'number of batches of {own["batch"]}. Resume with a batch size of {saved["batch"]} in '
                         'total (over all ranks)')
    return int(images // own['batch'])


def _changed_numbers(saved: dict[str, Any], own: dict[str, Any], keys: set[str]) -> str:
    """Describe the changed integer entries with their old and new values."""
    parts = [f'{key} {saved[key]}, now {own[key]}' for key in sorted(keys | {'images'})
             if isinstance(own[key], int) and saved.get(key) != own[key]]
    return f' ({"; ".join(parts)})' if parts else ''


def refit_schedulers(runner: Any, steps: int | None) -> None:
    """Rebuild the schedules of the config and step them to the current iteration, in the order of training.

    ``steps`` is the number of steps per epoch; None in iteration-based training.
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
        raise ValueError('a schedule that depends on a metric cannot be changed at resume. Restore the old schedule, '
                         + ANEW)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about scheduler steps without optimizer steps
        for iteration in range(1, runner.iter + 1):
            due = [False, True] if steps and iteration % steps == 0 else [False]
            for by_epoch in due:
                for one in flat:
                    if one.by_epoch == by_epoch:
                        one.step()
