"""Finding, validating and writing checkpoints; a file is written, renamed, and only then are older ones deleted."""
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import mmengine
import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS
from mmengine.runner import CheckpointLoader

from isda_seg.metrics.best_metric import direction
from isda_seg.runtime.durable import UNFINISHED, replace_durably

URL = r'\w[\w+.-]*://'
INTERRUPTED = 'interrupted_iter_{}.pth'  # written after a signal
NUMBERED = r'(?:iter|epoch)_\d+\.pth'

if hasattr(torch.serialization, 'add_safe_globals'):  # numpy values of metrics; MMEngine allows only some dtypes
    torch.serialization.add_safe_globals([type(np.dtype(kind)) for kind in '?bhilqBHILQefd'])


def file_pattern(template: str) -> str:
    """Return the regular expression of the file names of a template whose '{}' stands for a number."""
    return re.escape(template).replace(r'\{\}', r'\d+')


def checkpoint_files(work_dir: str, hook: Mapping[str, Any] | None = None) -> tuple[list[Path], str]:
    """Return the folders of the checkpoints of a run and the regular expression of their file names.

    ``hook`` is the config of the checkpoint hook, whose keys ``filename_tmpl`` and ``out_dir`` give the names and the
    folder of the files.
    """
    template, out_dir = (hook or {}).get('filename_tmpl'), (hook or {}).get('out_dir')
    work = Path(work_dir)
    folders = [work] if not out_dir or re.match(URL, str(out_dir)) else [Path(out_dir, work.name), work]
    return folders, f'{file_pattern(template) if template else NUMBERED}|{file_pattern(INTERRUPTED)}'


def latest_checkpoint(work_dir: str, hook: Mapping[str, Any] | None = None) -> Path | None:
    """Return the checkpoint that was written last in a work directory, or None if it holds no checkpoint.

    The file ``last_checkpoint`` names it. If an interrupted run left that file missing or incomplete, the checkpoint
    with the latest modification time is returned. See ``checkpoint_files`` for ``hook``.
    """
    folders, pattern = checkpoint_files(work_dir, hook)
    note = Path(work_dir, 'last_checkpoint')
    name = Path(note.read_text(errors='replace').strip()).name if note.is_file() else ''
    named = [folder / name for folder in folders if re.fullmatch(pattern, name)]
    found = [path for folder in folders for path in folder.glob('*') if re.fullmatch(pattern, path.name)]
    return next((path for path in named if path.is_file()),
                max(found, key=lambda path: (path.stat().st_mtime_ns, path.name), default=None))


def checkpoint_to_convert(path: str | Path, out: str | Path) -> dict[str, Any]:
    """Load a checkpoint that will be converted into the file ``out``."""
    if Path(out).resolve() == Path(path).resolve():
        raise ValueError(f'{out} is the checkpoint itself, which would be lost. Give the exported file another name')
    loaded = check_checkpoint(path)
    if not loaded:
        raise ValueError(f'{path} is a URL. Download it and pass a local path')
    return loaded


def _describe_entries(checkpoint: Any) -> str:
    """List the top-level entries of a file without a state dict, and suggest one that holds weights."""
    if not isinstance(checkpoint, dict) or not checkpoint:
        return ''
    inner = [key for key, value in checkpoint.items() if isinstance(value, dict)
             and any(isinstance(weight, torch.Tensor) for weight in value.values())]
    advice = (f". Its entry '{inner[0]}' holds weights: save that entry alone with torch.save("
              f"torch.load(path, map_location='cpu')['{inner[0]}'], 'weights.pth')") if inner else ''
    return f', only the entries {", ".join(map(str, list(checkpoint)[:8]))}{advice}'


def read_checkpoint(path: str | Path) -> Any:
    """Return the content of a local file that torch wrote, on the CPU."""
    file = Path(str(path))  # a config may hold a number
    if not file.is_file():
        raise FileNotFoundError(f'the checkpoint {path} does not exist')
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                if archive.testzip() is not None:
                    raise ValueError('its checksums do not match')
        return CheckpointLoader.load_checkpoint(str(file), map_location='cpu', logger='silent')
    except Exception as error:
        if isinstance(error, UnpicklingError) and 'allowed global' in str(error):  # of torch.load(weights_only=True)
            raise ValueError(f'mmengine {mmengine.__version__} cannot load the training state in {path} with torch '
                             f"{torch.__version__}: pip install 'mmengine>=0.11.0rc0', or 'torch<2.6'") from error
        raise ValueError(f'{path} is truncated, damaged or not a checkpoint. Use another file') from error


def check_checkpoint(path: str | Path, resume: bool = False, module: str | None = None) -> dict[str, Any]:
    """Load a checkpoint on the CPU and validate it; return an empty dict for a URL, which MMEngine loads itself.

    ``resume`` requires a training state in addition to weights, ``module`` weights of the module with this name.
    """
    if re.match(URL, str(path)):
        return {}
    checkpoint: dict[str, Any] = read_checkpoint(path)
    weights = checkpoint.get('state_dict', checkpoint) if isinstance(checkpoint, dict) else {}
    if not any(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(f'{path} is not a checkpoint: it holds no state dict{_describe_entries(checkpoint)}')
    missing = [key for key in ('meta', 'optimizer', 'message_hub') if key not in checkpoint]
    if resume and missing:
        raise ValueError(f'{path} holds weights but no training state ({", ".join(missing)} missing). Start from it '
                         'with --cfg-options load_from=... instead of --resume')
    if module is not None and not any(key.removeprefix('module.').startswith(f'{module}.') for key in weights):
        raise ValueError(f'{path} holds no weights of {module}: it is not a checkpoint of this model')
    return checkpoint


class _AtomicSaveRunner:
    """Proxy of a runner whose ``save_checkpoint`` writes to a temporary name and then renames the file."""

    def __init__(self, runner: Any) -> None:
        self._runner: Any = runner._runner if isinstance(runner, _AtomicSaveRunner) else runner

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
            super()._save_checkpoint_with_step(_AtomicSaveRunner(runner), step, meta)

    def _save_best_checkpoint(self, runner: Any, metrics: dict[str, Any]) -> None:
        missing = [name for name in self.save_best or () if name != 'auto' and name not in metrics]
        if missing:  # training goes on: its work since the last checkpoint is worth more than the best one
            runner.logger.warning(f'save_best names {", ".join(missing)}, but the validation gives '
                                  f'{", ".join(metrics)}: no best checkpoint is saved. Name one of these')
            return
        with self._deferred_removal():
            super()._save_best_checkpoint(_AtomicSaveRunner(runner), metrics)

    @contextmanager
    def _deferred_removal(self) -> Iterator[None]:
        backend: Any = self.file_backend  # type: ignore[has-type]
        self.file_backend = _DeferredRemoval(backend)
        try:
            yield
            self.file_backend.flush()
        finally:
            self.file_backend = backend
