"""Provenance, one entry per start and per resume, and training accuracy in checkpoints and result files."""
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.metrics.last_evaluations import VALUES
from isda_seg.runtime.provenance import provenance

RUNS = 'runs'  # key in a checkpoint's meta
TRAINING = 'training_accuracy'  # key in a checkpoint's meta and in results
ACCURACIES = 'train/accuracy', 'train/decode.acc_seg'  # of a classifier and of a decode head, in per cent


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Write ``meta['runs']``, a list of ``provenance``, and the training accuracy into every checkpoint."""

    def before_run(self, runner: Any) -> None:
        """Start the list with this run."""
        self.runs = [provenance(runner.seed)]

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """At resume, prepend the checkpoint's list; loading weights alone starts a new list."""
        if runner._resume:
            self.runs = [*checkpoint['meta'].get(RUNS, []), *self.runs]

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add both to the checkpoint."""
        checkpoint['meta'].update({RUNS: self.runs, TRAINING: latest_accuracies(runner)})


def latest_accuracies(runner: Any) -> list[float]:
    """Return the accuracy of the latest training steps, as many as an epoch has, which MMEngine keeps at resume.

    It is that of augmented images with the network in training mode.
    """
    logged = runner.message_hub.log_scalars
    name = next((name for name in ACCURACIES if name in logged), None)
    return [] if name is None else logged[name].data[0][-len(runner.train_dataloader):].tolist()


def as_test(run: Config, config: str, checkpoint: str, protocol: str) -> None:
    """Rewrite a copy of a config in place so that it tests a checkpoint, with a separate folder and experiment name."""
    run.load_from, run.resume = checkpoint, False
    run.work_dir = os.path.join(run.work_dir, f'test_{protocol}')
    run.experiment_name = f'{Path(config).stem}_{protocol}_{os.getpid()}'


def result(cfg: Config, config: str, checkpoint: str, loaded: dict[str, Any],
           protocols: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a result file: metrics of every protocol, training accuracy, paths and ``provenance``.

    ``loaded`` is the content of the checkpoint. If ``LastEvaluationsHook`` recorded validations, ``validated`` maps
    each epoch or iteration to its metric.
    """
    seed = cfg.get('randomness', {}).get('seed')
    meta = loaded.get('meta', {})
    validated = meta.get(VALUES, {}).get('values', {})
    curve = dict(validated={str(done): round(value, 4) for done, value in validated.items()}) if validated else {}
    steps = meta.get(TRAINING)
    accuracy = {TRAINING: round(sum(steps) / len(steps), 4)} if steps else {}
    return dict(protocols=protocols, **accuracy, **curve, config=os.path.relpath(config),
                checkpoint=os.path.relpath(checkpoint), training=meta.get(RUNS, []), **provenance(seed))
