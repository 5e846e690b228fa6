"""Accuracy on the training batches of the last epoch: augmented images, with the network in training mode."""
from typing import Any

KEY = 'training_accuracy'                              # key in a checkpoint's meta and in results
NAMES = ('train/accuracy', 'train/decode.acc_seg')     # a classifier's and a decode head's, in per cent


def latest_accuracies(runner: Any) -> list[float]:
    """Return the accuracy of the latest training steps, as many as an epoch has, which MMEngine keeps at resume."""
    logged = runner.message_hub.log_scalars
    name = next((name for name in NAMES if name in logged), None)
    return [] if name is None else logged[name].data[0][-len(runner.train_dataloader):].tolist()


def training_accuracy(meta: dict[str, Any]) -> dict[str, float]:
    """Return {'training_accuracy': mean in per cent} from a checkpoint's meta, or {} if it was not stored."""
    steps = meta.get(KEY)
    return {KEY: round(sum(steps) / len(steps), 4)} if steps else {}
