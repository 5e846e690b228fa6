"""Accuracy on the training batches of the last epoch."""
from collections import deque
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

KEY = 'training_accuracy'                   # key in a checkpoint's meta and in results
NAMES = ('accuracy', 'decode.acc_seg')      # outputs of a classifier's and a decode head's training step, in per cent


@HOOKS.register_module()
class TrainingAccuracyHook(Hook):
    """Write the accuracy of the latest training steps, as many as an epoch has, into every checkpoint.

    The accuracy is that of augmented images with the network in training mode.
    """

    def __init__(self) -> None:
        self.steps: deque[Any] = deque()

    def before_train(self, runner: Any) -> None:
        """Limit the number of stored steps to one epoch."""
        self.steps = deque(self.steps, maxlen=len(runner.train_dataloader))

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the stored steps at resume."""
        if runner._resume:
            self.steps = deque(checkpoint['meta'].get(KEY, []))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Store the accuracy of the step on its device, without synchronisation."""
        outputs = outputs or {}
        name = next((name for name in NAMES if name in outputs), None)
        if name is not None:
            self.steps.append(outputs[name].detach().clone())

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the steps to the checkpoint."""
        checkpoint['meta'][KEY] = [float(step) for step in self.steps]


def training_accuracy(meta: dict[str, Any]) -> dict[str, float]:
    """Return {'training_accuracy': mean in per cent} from a checkpoint's meta, or {} if it was not stored."""
    steps = meta.get(KEY)
    return {KEY: round(sum(steps) / len(steps), 4)} if steps else {}
