"""Checkpoints that survive a kill: written aside, renamed, and only then is an older one deleted."""
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import CheckpointLoader

from isda_seg.durable import UNFINISHED, replace_durably

NUMBERED = r'(?:iter|epoch)_\d+\.pth'


class _SavesAside:
    """The runner, except that a checkpoint appears under its name only when it is complete."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runner, name)

    def save_checkpoint(self, out_dir: str, filename: str, *args: Any, **kwargs: Any) -> None:
        if not os.path.isdir(out_dir):  # a remote store: its client decides how it writes
            self._runner.save_checkpoint(out_dir, filename, *args, **kwargs)
            return
        self._runner.save_checkpoint(out_dir, filename + UNFINISHED, *args, **kwargs)
        if is_main_process():
            replace_durably(Path(out_dir, filename + UNFINISHED), Path(out_dir, filename))


class _RemovesLater:
    """A file backend whose removals wait until ``flush``."""

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
    """MMEngine's CheckpointHook with the order of things made safe; the same arguments."""

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict) -> None:
        with self._removing_later():
            super()._save_checkpoint_with_step(_aside(runner), step, meta)

    def _save_best_checkpoint(self, runner: Any, metrics: dict) -> None:
        with self._removing_later():
            super()._save_best_checkpoint(_aside(runner), metrics)

    @contextmanager
    def _removing_later(self) -> Iterator[None]:
        backend = self.file_backend
        self.file_backend = _RemovesLater(backend)
        try:
            yield
            self.file_backend.flush()
        finally:
            self.file_backend = backend


def _aside(runner: Any) -> _SavesAside:
    return runner if isinstance(runner, _SavesAside) else _SavesAside(runner)


def latest_checkpoint(work_dir: str) -> Path | None:
    """The checkpoint the last run in a work directory wrote last, None without one.

    It is the one ``last_checkpoint`` names; where a kill left none or half a name there, the youngest ``iter_N.pth`` or
    ``epoch_N.pth``.
    """
    folder = Path(work_dir)
    note = folder / 'last_checkpoint'
    named = folder / Path(note.read_text().strip()).name if note.is_file() else folder
    if re.fullmatch(NUMBERED, named.name) and named.is_file():
        return named
    found = [path for path in folder.glob('*.pth') if re.fullmatch(NUMBERED, path.name)]
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None)


def check_checkpoint(path: str | Path, resume: bool = False, module: str | None = None) -> dict[str, Any]:
    """The checkpoint, loaded on the CPU; a URL is left to MMEngine and gives an empty dict.

    Args:
        resume: a training state is needed, not weights alone.
        module: the state dict must hold weights below this name.

    Raises:
        FileNotFoundError: no such file. ValueError: truncated, damaged, no checkpoint, or without what is needed.
    """
    if re.match(r'^\w[\w+.-]*://', str(path)):
        return {}
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f'there is no checkpoint {path}')
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if archive.testzip() is not None:
                    raise ValueError('its checksums do not match')
        checkpoint = CheckpointLoader.load_checkpoint(str(file), map_location='cpu', logger='silent')
    except Exception as error:
        raise ValueError(f'{path} is truncated, damaged or no checkpoint') from error
    weights = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else {}
    if not any(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(f'{path} is no checkpoint: it holds no state dict')
    missing = [key for key in ('meta', 'optimizer', 'message_hub') if key not in checkpoint]
    if resume and missing:
        raise ValueError(f'{path} holds weights but no training state ({", ".join(missing)} missing): start from it '
                         'with --cfg-options load_from=... instead of --resume')
    if module is not None and not any(key.removeprefix('module.').startswith(f'{module}.') for key in weights):
        raise ValueError(f'{path} holds no weights of {module}: it is not a checkpoint of this model')
    return checkpoint
