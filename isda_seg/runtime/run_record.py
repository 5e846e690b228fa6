"""Provenance in checkpoints and result files: one entry per start and per resume."""
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.metrics.last_evaluations import VALUES
from isda_seg.metrics.training_accuracy import KEY, latest_accuracies, training_accuracy
from isda_seg.runtime.provenance import provenance

RUNS = 'runs'  # key in a checkpoint's meta


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
        checkpoint['meta'].update({RUNS: self.runs, KEY: latest_accuracies(runner)})


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
    return dict(protocols=protocols, **training_accuracy(meta), **curve, config=os.path.relpath(config),
                checkpoint=os.path.relpath(checkpoint), training=meta.get(RUNS, []), **provenance(seed))
