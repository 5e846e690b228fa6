"""A series of training runs, each trained and evaluated once: a killed series goes on where it stopped."""
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from isda_seg.checkpoint import latest_checkpoint
from isda_seg.durable import UNFINISHED, replace_durably

RESULTS, LOG = 'results.json', 'log.txt'


class Run(NamedTuple):
    """One training run of a series."""
    name: str    # its folder below the series' folder
    cfg: Config  # complete: seed and settings included


def run_series(runs: Iterable[Run], folder: str | Path, tools: str | Path, protocols: Iterable[str],
               jobs: int = 1, say: Callable[[str], None] = print) -> dict[str, dict[str, Any]]:
    """Train and evaluate what is not there yet, and read what is.

    Every run gets its config as ``folder/name.py``, and ``folder/name`` with log, checkpoints and results; a run that was
    killed resumes.

    Args:
        tools: the folder of train.py and test.py.
        protocols: for tools/test.py.
        jobs: runs at a time; the cores are shared among them unless OMP_NUM_THREADS says otherwise.
        say: gets a line per finished run with an estimate of the time left.

    Returns:
        name -> what tools/test.py wrote.

    Raises:
        ValueError: a folder that holds a run of other settings.
        RuntimeError: a run that failed, with the end of its log; finished ones are kept.
    """
    runs, folder = list(runs), Path(folder)
    for run in runs:
        _write_config(run, folder / run.name)
    missing = [run for run in runs if not (folder / run.name / RESULTS).is_file()]
    say(f'{len(runs)} runs, {len(runs) - len(missing)} of them there already')
    progress = _Progress(len(missing), jobs, say)
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        def one(run: Run) -> None:
            started = time.monotonic()
            _execute(folder / run.name, Path(tools), list(protocols), jobs)
            progress.finished(run.name, time.monotonic() - started)

        for future in [pool.submit(one, run) for run in missing]:
            try:
                future.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return {run.name: json.loads((folder / run.name / RESULTS).read_text()) for run in runs}


class _Progress:
    """Says after each run how long the rest will take, at the pace so far."""

    def __init__(self, total: int, jobs: int, say: Callable[[str], None]) -> None:
        self.total, self.jobs, self.say = total, jobs, say
        self.seconds: list[float] = []
        self.lock = threading.Lock()

    def finished(self, name: str, seconds: float) -> None:
        with self.lock:
            self.seconds.append(seconds)
            done = len(self.seconds)
            left = (self.total - done) * sum(self.seconds) / done / self.jobs
            self.say(f'{done}/{self.total} {name}: {seconds / 60:.1f} min; about {left / 60:.0f} min left')


def _write_config(run: Run, folder: Path) -> None:
    """The config of a run stands beside it; another one's results must not be taken for its own."""
    path = _config(folder)
    text = run.cfg.pretty_text
    if path.is_file() and path.read_text() != text:
        raise ValueError(f'{folder} holds a run of other settings (they are in {path.name}): choose another '
                         '--work-dir, or delete both')
    folder.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + UNFINISHED)
    aside.write_text(text)
    replace_durably(aside, path)


def _config(folder: Path) -> Path:
    """Beside the folder and not in it, where MMEngine puts the config as the Runner changed it."""
    return folder.with_name(folder.name + '.py')


def _execute(folder: Path, tools: Path, protocols: list[str], jobs: int) -> None:
    """Train to the end, resuming what is there, then evaluate; results appear only when complete."""
    config = str(_config(folder))
    _call([str(tools / 'train.py'), config, '--work-dir', str(folder), '--resume'], folder, jobs)
    checkpoint = latest_checkpoint(str(folder))
    if checkpoint is None:
        raise RuntimeError(f'{folder}: the training ended without a checkpoint; has its config a checkpoint hook?')
    _call([str(tools / 'test.py'), config, str(checkpoint), '--work-dir', str(folder / 'test'),
           '--protocols', *protocols, '--out', str(folder / RESULTS)], folder, jobs)


def _call(command: list[str], folder: Path, jobs: int) -> None:
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    environment = dict(os.environ, OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', threads))
    with (folder / LOG).open('a') as log:
        code = subprocess.run([sys.executable, *command], stdout=log, stderr=subprocess.STDOUT,
                              env=environment).returncode
    if code:
        end = '\n'.join((folder / LOG).read_text().splitlines()[-8:])
        raise RuntimeError(f'{Path(command[0]).name} failed with code {code} in {folder}; the end of its {LOG}:\n{end}')
