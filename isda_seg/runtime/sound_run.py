"""Checks that end a run early: an empty dataloader, and weights or losses that are not finite."""
import json
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

RECORD = 'diverged.json'  # file in the work directory: {"iteration": number of steps taken}


@HOOKS.register_module()
class SoundRunHook(Hook):
    """Raise FloatingPointError during training if a weight is not finite, in which case no checkpoint is written.

    It is raised too if the loss is not finite in two consecutive checks, ``interval`` steps apart, or at the end. Mixed
    precision skips single steps with such a loss. A check synchronises with the device.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self.loss: torch.Tensor | None = None  # loss of the last step
        self.failed_checks = 0

    def before_train(self, runner: Any) -> None:
        """Delete the divergence record of an earlier run."""
        if is_main_process():
            Path(runner.work_dir, RECORD).unlink(missing_ok=True)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Check loss and weights every ``interval`` steps."""
        self.loss = (outputs or {}).get('loss')
        if self.every_n_train_iters(runner, self.interval):
            self.failed_checks = self.failed_checks + 1 if self._loss_not_finite() else 0
            self._check(runner, runner.iter + 1, stop=self.failed_checks > 1)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Check the weights before a checkpoint is written, so that the latest checkpoint is always finite."""
        self._check(runner, runner.iter)

    def after_train(self, runner: Any) -> None:
        """Check loss and weights at the end of training."""
        self._check(runner, runner.iter, stop=self._loss_not_finite())

    def _loss_not_finite(self) -> bool:
        return isinstance(self.loss, torch.Tensor) and not bool(self.loss.isfinite().all())

    def _check(self, runner: Any, iteration: int, stop: bool = False) -> None:
        own = (getattr(weight, 'to_local', lambda weight=weight: weight)() for weight in runner.model.parameters())
        bad = [(~weight.isfinite()).any() for weight in own if weight.numel()]
        if stop or (bad and bool(torch.stack(bad).any())):
            if is_main_process():
                Path(runner.work_dir, RECORD).write_text(json.dumps(dict(iteration=iteration)))
            raise FloatingPointError(f'the run diverged: after {iteration} steps the weights or the loss are not '
                                     'finite. Lower the learning rate (optim_wrapper.optimizer.lr) or lambda_0, '
                                     'lengthen the warm-up, or clip gradients (optim_wrapper.clip_grad.max_norm=10)')


def require_batches(loader: Any) -> None:
    """Raise a ValueError if the training dataloader yields no batch."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    endless = isinstance(getattr(sampler, 'sampler', sampler), InfiniteSampler)
    if len(loader) == 0 and not endless:
        size = getattr(loader.batch_sampler, 'batch_size', loader.batch_size)
        raise ValueError(f'the training dataloader yields no batch: {len(loader.dataset)} training images do not fill '
                         f'a batch of {size} on each rank, and drop_last drops incomplete batches. Set a smaller '
                         'train_dataloader.batch_size, or train_dataloader.drop_last=False')


def diverged(work_dir: str | Path) -> dict[str, int] | None:
    """Return the divergence record in a work directory, or None if the run did not diverge."""
    note = Path(work_dir, RECORD)
    found: dict[str, int] | None = json.loads(note.read_text()) if note.is_file() else None
    return found
