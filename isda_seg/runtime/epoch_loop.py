"""Epoch-based training that resumes inside an epoch, after the batches that were already used."""
from collections.abc import Iterator
from itertools import islice
from typing import Any

from mmengine.config import ConfigDict
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop

from isda_seg.openmmlab.config_nodes import type_name


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
