"""Checkpoint hook with atomic writes: each file is written, renamed, and only then are older ones deleted."""
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from isda_seg.metrics.best_metric import direction
from isda_seg.runtime.durable import UNFINISHED, replace_durably


class _AtomicSaveRunner:
    """Proxy of a runner whose ``save_checkpoint`` writes to a temporary name and then renames the file."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        """Save on the first rank; all ranks call this, so hooks may communicate in ``gather_state`` beforehand."""
        for hook in self._runner.hooks if self._runner.world_size > 1 else ():
            if hasattr(hook, 'gather_state'):
                hook.gather_state(self._runner)
        if not os.path.isdir(out_dir):  # remote storage: its client handles the write
            self._runner.save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        unfinished, target = Path(out_dir, filename + UNFINISHED), Path(out_dir, filename)
        try:
            self._runner.save_checkpoint(out_dir, unfinished.name, *args, **kwargs)
            if is_main_process():
                replace_durably(unfinished, target)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise OSError(f'cannot write the checkpoint {target} ({error}); the previous checkpoint is intact') \
                from error


class _DeferredRemoval:
    """Proxy of a file backend that defers removals until ``flush``."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._removals: list[tuple[Any, str]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def remove(self, path: str) -> None:
        self._removals.append((self._backend.remove, path))

    def rmtree(self, path: str) -> None:
        self._removals.append((self._backend.rmtree, path))

    def flush(self) -> None:
        for remove, path in self._removals:
            remove(path)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """MMEngine's CheckpointHook with atomic writes and the right ``save_best`` direction for this package's metrics."""

    def _init_rule(self, rules: list[str | None], key_indicators: list[str]) -> None:
        rules = rules * len(key_indicators) if len(rules) == 1 else rules
        super()._init_rule([rule or direction(key) for rule, key in zip(rules, key_indicators, strict=True)],
                           key_indicators)

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        with self._deferred_removal():
            super()._save_checkpoint_with_step(_atomic(runner), step, meta)

    def _save_best_checkpoint(self, runner: Any, metrics: dict[str, Any]) -> None:
        missing = [name for name in self.save_best or () if name != 'auto' and name not in metrics]
        if missing:  # training goes on: its work since the last checkpoint is worth more than the best one
            runner.logger.warning(f'save_best names {", ".join(missing)}, but the validation gives '
                                  f'{", ".join(metrics)}: no best checkpoint is saved. Name one of these')
            return
        with self._deferred_removal():
            super()._save_best_checkpoint(_atomic(runner), metrics)

    @contextmanager
    def _deferred_removal(self) -> Iterator[None]:
        backend: Any = self.file_backend  # type: ignore[has-type]
        self.file_backend = _DeferredRemoval(backend)
        try:
            yield
            self.file_backend.flush()
        finally:
            self.file_backend = backend


def _atomic(runner: Any) -> _AtomicSaveRunner:
    return runner if isinstance(runner, _AtomicSaveRunner) else _AtomicSaveRunner(runner)
