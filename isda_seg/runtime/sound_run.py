"""A run that would train nothing is refused at start; one that diverges stops, and says so in its folder."""
import json
from pathlib import Path
from typing import Any

import torch
from mmengine.dataset import InfiniteSampler
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from torch.utils.data import DataLoader

DIVERGED = 'diverged.json'  # in the work directory: {"iteration": how many steps were taken}


@HOOKS.register_module()
class SoundRunHook(Hook):
    """Look at the first batch's existence before training, and at the weights while it goes on.

    Args:
        interval: steps between two looks, which wait for the device; every checkpoint is looked at too.

    Raises:
        ValueError: before training, no batch comes out of the training images.
        FloatingPointError: a weight is infinite or not a number, and then the checkpoint of that moment is not written;
            or the loss was no number at two looks in a row, or at the end, where half precision skips such steps.
    """

    priority = 'VERY_LOW'

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval
        self.loss: torch.Tensor | None = None  # of the last step
        self.bad_looks = 0

    def before_train(self, runner: Any) -> None:
        """Count the batches; forget a divergence that this run may outlive."""
        if is_main_process():
            Path(runner.work_dir, DIVERGED).unlink(missing_ok=True)
        require_batches(runner.train_dataloader)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Look at every ``interval`` steps."""
        self.loss = (outputs or {}).get('loss')
        if self.every_n_train_iters(runner, self.interval):
            self.bad_looks = self.bad_looks + 1 if self._no_number() else 0
            self._look(runner, runner.iter + 1, stop=self.bad_looks > 1)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """No checkpoint holds what has diverged, so the one before it stays the newest."""
        self._look(runner, runner.iter)

    def after_train(self, runner: Any) -> None:
        """A short run is looked at once."""
        self._look(runner, runner.iter, stop=self._no_number())

    def _no_number(self) -> bool:
        return isinstance(self.loss, torch.Tensor) and not bool(self.loss.isfinite().all())

    def _look(self, runner: Any, iteration: int, stop: bool = False) -> None:
        own = (getattr(weight, 'to_local', lambda weight=weight: weight)() for weight in runner.model.parameters())
        bad = [(~weight.isfinite()).any() for weight in own if weight.numel()]
        if stop or (bad and bool(torch.stack(bad).any())):
            if is_main_process():
                Path(runner.work_dir, DIVERGED).write_text(json.dumps(dict(iteration=iteration)))
            raise FloatingPointError(f'the run diverged: after {iteration} steps weights or loss are infinite or not '
                                     'numbers. Lower the learning rate (optim_wrapper.optimizer.lr) or lambda_0, '
                                     'lengthen the warm-up, or clip gradients (optim_wrapper.clip_grad.max_norm=10)')


def require_batches(loader: DataLoader) -> None:
    """ValueError where no batch comes out of the training images; schedules by epochs could not say so."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    endless = isinstance(getattr(sampler, 'sampler', sampler), InfiniteSampler)
    if len(loader) == 0 and not endless:
        size = getattr(loader.batch_sampler, 'batch_size', loader.batch_size)
        raise ValueError(f'nothing would be trained: {len(loader.dataset)} training images give no batch of {size} '
                         'on each rank, and drop_last leaves out what is less. Set a smaller '
                         'train_dataloader.batch_size, or train_dataloader.drop_last=False')


def diverged(work_dir: str | Path) -> dict[str, int] | None:
    """What the hook wrote when a run diverged, None where it did not."""
    note = Path(work_dir, DIVERGED)
    found: dict[str, int] | None = json.loads(note.read_text()) if note.is_file() else None
    return found
