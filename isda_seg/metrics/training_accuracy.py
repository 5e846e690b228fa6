"""The accuracy on training batches, over the last epoch: has the model fitted its data?"""
from collections import deque
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

KEY = 'training_accuracy'                   # in a checkpoint's meta, and in results
NAMES = ('accuracy', 'decode.acc_seg')      # of a classifier's, of a decode head's training step, in per cent


@HOOKS.register_module()
class TrainingAccuracyHook(Hook):
    """Write into every checkpoint what was right in each of the last steps, as many as an epoch has.

    The images are augmented ones and the network is in training mode.
    """

    def __init__(self) -> None:
        self.steps: deque[Any] = deque()

    def before_train(self, runner: Any) -> None:
        """As many steps as the images need."""
        self.steps = deque(self.steps, maxlen=len(runner.train_dataloader))

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Resuming goes on with the steps known then."""
        if runner._resume:
            self.steps = deque(checkpoint['meta'].get(KEY, []))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Note the step; on a device the number stays there."""
        name = next((name for name in NAMES if name in (outputs or {})), None)
        if name is not None:
            self.steps.append(outputs[name].detach().clone())

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Hand the steps over."""
        checkpoint['meta'][KEY] = [float(step) for step in self.steps]


def training_accuracy(meta: dict[str, Any]) -> dict[str, float]:
    """{'training_accuracy': mean in per cent} of a checkpoint's meta; nothing where it was not noted."""
    steps = meta.get(KEY)
    return {KEY: round(sum(steps) / len(steps), 4)} if steps else {}
