"""Every checkpoint and its results know the runs that made it: one entry of provenance per start and per resume."""
import os
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.metrics.last_evaluations import VALUES
from isda_seg.metrics.training_accuracy import training_accuracy
from isda_seg.runtime.provenance import provenance

RUNS = 'runs'  # key in a checkpoint's meta


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Write ``meta['runs']``, a list of ``provenance``, into every checkpoint."""

    def before_run(self, runner: Any) -> None:
        """This run is the first one, unless it resumes."""
        self.runs = [provenance(runner.seed)]

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Resuming goes on with the list; weights loaded to start from begin a new one."""
        if runner._resume:
            self.runs = [*checkpoint['meta'].get(RUNS, []), *self.runs]

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Hand the list over."""
        checkpoint['meta'][RUNS] = self.runs


def as_test(run: Config, config: str, checkpoint: str, protocol: str) -> None:
    """Turn a copy of a config, in place, into a test of a checkpoint with a folder and a name of its own.

    Args:
        config, checkpoint: their paths.
    """
    run.load_from, run.resume = checkpoint, False
    run.work_dir = os.path.join(run.work_dir, f'test_{protocol}')
    run.experiment_name = f'{Path(config).stem}_{protocol}_{os.getpid()}'


def result(cfg: Config, config: str, checkpoint: str, loaded: dict[str, Any],
           protocols: dict[str, Any]) -> dict[str, Any]:
    """What tools/test.py writes: every protocol's metrics, training accuracy, where they come from, ``provenance``.

    Where the run was validated several times, also ``validated``: {epoch or iteration: the metric that it averages}.

    Args:
        cfg, config: the config and its path; checkpoint, loaded: the path of the checkpoint and what it holds.
    """
    seed = cfg.get('randomness', {}).get('seed')
    meta = loaded.get('meta', {})
    validated = meta.get(VALUES, {}).get('values', {})
    curve = dict(validated={str(done): round(value, 4) for done, value in validated.items()}) if validated else {}
    return dict(protocols=protocols, **training_accuracy(meta), **curve, config=os.path.relpath(config),
                checkpoint=os.path.relpath(checkpoint), training=meta.get(RUNS, []), **provenance(seed))
