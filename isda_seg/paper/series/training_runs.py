"""Resumable series of training runs, each trained and evaluated once."""
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from isda_seg.paper.series.processes import Processes, folder_lock
from isda_seg.paper.series.result_files import DIVERGED
from isda_seg.runtime.checkpoint import latest_checkpoint
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.logit_adjustment import KEY
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.sound_run import diverged

RESULTS, LOG = 'results.json', 'log.txt'
PROGRESS_INTERVAL = 30.0  # seconds between two progress lines before the first run ends


class Run(NamedTuple):
    """One training run of a series."""
    name: str    # folder below the folder of the series
    cfg: Config  # complete config with seed and options


class Test(NamedTuple):
    """Test settings of all checkpoints of a series."""
    protocols: tuple[str, ...]
    taus: tuple[str, ...]  # values of --logit-adjustment, formatted as in results


def run_series(runs: Iterable[Run], folder: str | Path, tools: str | Path, protocols: Iterable[str],
               jobs: int = 1, report: Callable[[str], None] | None = None,
               taus: Iterable[float] = ()) -> dict[str, dict[str, Any]]:
    """Train and evaluate the missing runs, and read all results.

    Every run has its config in ``folder/name.py`` and log, checkpoints and results in ``folder/name``. Interrupted runs
    resume. Ctrl-C and SIGTERM stop the running processes; on Linux, so does killing the series.

    Args:
        runs: runs with unique names.
        folder: folder of all runs.
        tools: folder of train.py and test.py.
        protocols: protocols for tools/test.py.
        jobs: number of concurrent runs, which share the cores unless OMP_NUM_THREADS is set.
        report: receives a progress line per finished run; prints by default.
        taus: values of --logit-adjustment for tools/test.py.

    Returns:
        name -> result of tools/test.py with these protocols. A diverged run has no protocols and the entry
        {"diverged": {"iteration": ...}}.

    Raises:
        ValueError: duplicate names, a folder with a run of other settings, or ``jobs`` below 1.
        BlockingIOError: another series is running in the folder.
        ChildProcessError: a run failed; the message has the end of its log. Other running processes finish.
    """
    runs, folder, report = list(runs), Path(folder), report or partial(print, flush=True)  # keep log files up to date
    test = Test(tuple(protocols), tuple(dict.fromkeys(f'{tau:g}' for tau in taus if tau)))
    if len({run.name for run in runs}) < len(runs):
        raise ValueError(f'Runs of a series need unique names, got {[run.name for run in runs]}.')
    if jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {jobs}')
    with folder_lock(folder):
        for run in runs:
            _write_config(run, folder / run.name)
        missing = [run for run in runs if _results(folder / run.name, test) is None]
        report(f'{len(runs)} runs, {len(runs) - len(missing)} of them complete')
        progress, processes, failed = _Progress(len(missing), jobs, report), Processes(jobs), threading.Event()

        def execute(run: Run) -> None:
            if failed.is_set():
                return
            started = time.monotonic()
            progress.logs[run.name] = folder / run.name / LOG
            try:
                _execute(run, folder / run.name, Path(tools), test, processes)
                if DIVERGED in (_results(folder / run.name, test) or {}):
                    report(f'{run.name} diverged')
            except BaseException:
                failed.set()
                report(f'{run.name} failed; running runs finish, no further run starts')
                raise
            progress.finished(run.name, time.monotonic() - started)

        with progress, ThreadPoolExecutor(max_workers=jobs) as pool, processes:
            for future in wait([pool.submit(execute, run) for run in missing]).done:
                future.result()
        return {run.name: _results(folder / run.name, test) or {} for run in runs}


class _Progress:
    """Report the estimated remaining time after each run, and the last log lines until the first run ends."""

    def __init__(self, total: int, jobs: int, report: Callable[[str], None]) -> None:
        self.total, self.jobs, self.report = total, jobs, report
        self.seconds: list[float] = []
        self.logs: dict[str, Path] = {}  # logs of the started runs
        self.lock, self.first_ended = threading.Lock(), threading.Event()

    def __enter__(self) -> '_Progress':
        threading.Thread(target=self._report_last_lines, daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.first_ended.set()

    def _report_last_lines(self) -> None:
        while not self.first_ended.wait(PROGRESS_INTERVAL):
            for name, log in list(self.logs.items()):
                lines = log.read_text(errors='replace').splitlines() if log.is_file() else []
                self.report(f'{name}: {lines[-1] if lines else "starting"} (its log: {log})')

    def finished(self, name: str, seconds: float) -> None:
        self.first_ended.set()
        with self.lock:
            self.seconds.append(seconds)
            done = len(self.seconds)
            left = (self.total - done) * sum(self.seconds) / done / self.jobs
            self.report(f'{done}/{self.total} {name}: {seconds / 60:.1f} min; about {left / 60:.0f} min left')


def _write_config(run: Run, folder: Path) -> None:
    """Write the config of a run; raise if the folder holds a run with another config."""
    path = _config(folder)
    text = run.cfg.pretty_text
    if path.is_file() and path.read_text(encoding='utf-8') != text:
        raise ValueError(f'{folder} holds a run with other settings (see {path.name}). Choose another '
                         '--work-dir or delete both.')
    folder.mkdir(parents=True, exist_ok=True)
    with written_aside(path) as aside:
        aside.write_text(text, encoding='utf-8')


def files_of(runs: Iterable[Run], folder: str | Path) -> list[Path]:
    """Return the existing configs and results of the runs of a series in ``folder``."""
    places = [Path(folder, run.name) for run in runs]
    return [path for place in places for path in (_config(place), place / RESULTS) if path.is_file()]


def _config(folder: Path) -> Path:
    """Return the path of a config, outside the folder, where MMEngine writes its modified config."""
    return folder.with_name(folder.name + '.py')


def _results(folder: Path, test: Test) -> dict[str, Any] | None:
    """Read the result with the protocols of the test; None if a protocol or tau is missing."""
    path = folder / RESULTS
    result = json.loads(path.read_text()) if path.is_file() else dict(protocols={})
    if DIVERGED in result:
        return dict(result)
    if not set(test.protocols) <= set(result['protocols']):
        return None
    found = {protocol: result['protocols'][protocol] for protocol in test.protocols}
    if not all(set(test.taus) <= set(values.get(KEY, ())) for values in found.values()):
        return None
    return dict(result, protocols=found)


def _execute(run: Run, folder: Path, tools: Path, test: Test, processes: Processes) -> None:
    """Train to the end, resuming if possible, then evaluate; results are written only when complete."""
    config = str(_config(folder))
    try:
        _call([str(tools / 'train.py'), config, '--work-dir', str(folder), '--resume'], folder, processes)
    except ChildProcessError:
        if (found := diverged(folder)) is None:
            raise
        write_json(folder / RESULTS, {'protocols': {}, DIVERGED: found, 'config': os.path.relpath(config),
                                      'training': [provenance()]})
        return
    checkpoint = latest_checkpoint(str(folder), run.cfg.get('default_hooks', {}).get('checkpoint'))
    if checkpoint is None:
        raise ChildProcessError(f'{folder}: the training wrote no checkpoint. Add a checkpoint hook to the config.')
    _call([str(tools / 'test.py'), config, str(checkpoint), '--work-dir', str(folder / 'test'),
           '--protocols', *test.protocols, *(['--logit-adjustment', *test.taus] if test.taus else []),
           '--out', str(folder / RESULTS)], folder, processes)


def _call(command: list[str], folder: Path, processes: Processes) -> None:
    with (folder / LOG).open('a') as log:
        code = processes.run([sys.executable, *command], log)
    if code:
        end = '\n'.join((folder / LOG).read_text().splitlines()[-8:])
        raise ChildProcessError(f'{Path(command[0]).name} failed with code {code} in {folder}; the end of its {LOG}:\n'
                                f'{end}')
