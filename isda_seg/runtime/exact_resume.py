"""Exact resume at any iteration: inside an epoch, after the batches already used, and between two optimizer updates."""
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.config import ConfigDict
from mmengine.dist import all_gather_object
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, LOOPS
from mmengine.runner import EpochBasedTrainLoop

from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.weights import network_of

GRADIENTS = 'accumulated_gradients'  # key in a checkpoint
LOST = 'the gradient of some iterations is lost'  # MMEngine's warning, which does not hold for restored gradients


@LOOPS.register_module()
class ResumableEpochLoop(EpochBasedTrainLoop):
    """MMEngine's epoch-based loop, which a checkpoint of any iteration resumes.

    MMEngine starts the epoch of the checkpoint again. Here the epoch continues with the next batch, in the order of the
    uninterrupted run; a checkpoint of its last iteration continues with the end of the epoch.
    """

    begun = False  # whether an epoch has been run; only the first one may begin with a later batch

    def run_epoch(self) -> None:
        """Train on the batches of the epoch that follow the current iteration."""
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        done, steps = self.iter - self.epoch * len(self.dataloader), len(self.dataloader)
        if self.begun or not 0 <= done <= steps:  # the iteration of a run with another batch size
            done = 0
        self.begun = True
        for index, batch in enumerate(rest_of_epoch(self.dataloader, done), done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


def set_epoch_loop(cfg: ConfigDict) -> None:
    """Replace MMEngine's epoch-based loop in a training config by ``ResumableEpochLoop``; in place."""
    loop: Any = cfg.get('train_cfg') or {}
    if type_name(loop) == 'EpochBasedTrainLoop' or ('type' not in loop and loop.get('by_epoch')):
        loop.pop('by_epoch', None)
        loop.type = ResumableEpochLoop.__name__


def rest_of_epoch(loader: Any, done: int) -> Iterator[Any]:
    """Return an iterator over the batches of a data loader after the first ``done``, which are not loaded."""
    if done == 0:
        return iter(loader)
    name = 'sampler' if loader.batch_sampler is None else 'batch_sampler'
    inner = getattr(loader, name)
    loader.__dict__[name] = _SkipOnce(inner, done)  # DataLoader's __setattr__ refuses a sampler
    try:
        return iter(loader)  # makes its workers prefetch
    finally:
        loader.__dict__[name] = inner


class _SkipOnce:
    """Sampler whose first iteration omits the first entries; persistent workers keep it for the later epochs."""

    def __init__(self, sampler: Any, skipped: int) -> None:
        self.sampler, self.skipped = sampler, skipped

    def __iter__(self) -> Iterator[Any]:
        # a generator: DataLoader calls iter() twice and uses the second iterator
        skipped, self.skipped = self.skipped, 0
        yield from islice(self.sampler, skipped, None)

    def __len__(self) -> int:
        return len(self.sampler)


@HOOKS.register_module()
class AccumulatedGradientsHook(Hook):
    """Store accumulated gradients in every checkpoint that is written between two updates, and restore them at resume.

    Without them, a resumed run with ``optim_wrapper.accumulative_counts`` loses the gradients of up to
    ``accumulative_counts - 1`` iterations. A run with another number of ranks or of accumulated steps does not restore
    them, and MMEngine warns.
    """

    _gradients: list[dict[str, Any]] = []  # collected by gather_state; ranks must not communicate while one saves

    def gather_state(self, runner: Any) -> None:
        """Collect the gradients of all ranks, before the first rank saves."""
        if _counts(runner) > 1:
            self._gradients = all_gather_object({
                name: weight.grad.cpu() for name, weight in network_of(runner.model).named_parameters()
                if weight.grad is not None})

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the gradients of every rank, if there are any."""
        counts = _counts(runner)
        if 'optimizer' not in checkpoint or counts == 1:
            return
        if runner.world_size == 1:
            self.gather_state(runner)
        checkpoint[GRADIENTS] = dict(counts=counts, ranks=self._gradients)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the gradients of this rank at resume."""
        stored = checkpoint.get(GRADIENTS) if runner._resume else None
        if not stored or stored['counts'] != _counts(runner) or len(stored['ranks']) != runner.world_size:
            return
        own = stored['ranks'][runner.rank]
        for name, weight in network_of(runner.model).named_parameters():
            if name in own:
                weight.grad = own[name].to(weight.device)
        if own:
            runner.logger.addFilter(lambda record: LOST not in record.getMessage())


def _counts(runner: Any) -> int:
    """Return the number of steps per update of the optimizer wrapper, the largest if there are several."""
    wrapper = runner.optim_wrapper
    wrappers = wrapper.values() if hasattr(wrapper, 'values') else [wrapper]
    return max(int(getattr(one, '_accumulative_counts', 1)) for one in wrappers)
