"""A series of training runs, each trained and evaluated once: a killed series goes on where it stopped."""
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from isda_seg.paper.series.processes import Processes, only_one
from isda_seg.paper.series.result_files import DIVERGED
from isda_seg.runtime.checkpoint import latest_checkpoint
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.logit_adjustment import KEY
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.sound_run import diverged

RESULTS, LOG = 'results.json', 'log.txt'
PULSE = 30.0  # seconds between two signs of life before the first run has ended


class Run(NamedTuple):
    """One training run of a series."""
    name: str    # its folder below the series' folder
    cfg: Config  # complete: seed and settings included


class Test(NamedTuple):
    """What every checkpoint of a series is tested with."""
    protocols: tuple[str, ...]
    taus: tuple[str, ...]  # of --logit-adjustment, as results name them


def run_series(runs: Iterable[Run], folder: str | Path, tools: str | Path, protocols: Iterable[str],
               jobs: int = 1, say: Callable[[str], None] | None = None,
               taus: Iterable[float] = ()) -> dict[str, dict[str, Any]]:
    """Train and evaluate what is not there yet, and read what is.

    Every run gets its config as ``folder/name.py``, and ``folder/name`` with log, checkpoints and results; a run that
    was killed resumes. Ctrl-C and SIGTERM end the runs under way; on Linux, so does killing the series.

    Args:
        tools: the folder of train.py and test.py.
        protocols: for tools/test.py.
        jobs: runs at a time; the cores are shared among them unless OMP_NUM_THREADS says otherwise.
        say: gets a line per finished run with an estimate of the time left; by default it is printed at once.
        taus: values of --logit-adjustment for tools/test.py.

    Returns:
        name -> what tools/test.py wrote, with these protocols in this order; of a run that diverged no protocols, and
        {"diverged": {"iteration": ...}}.

    Raises:
        ValueError: two runs of one name, a folder that holds a run of other settings, no job.
        BlockingIOError: another series is under way in the folder.
        ChildProcessError: a run that failed, with the end of its log; finished ones are kept, those under way finish.
    """
    runs, folder, say = list(runs), Path(folder), say or _print
    test = Test(tuple(protocols), tuple(dict.fromkeys(f'{tau:g}' for tau in taus if tau)))
    if len({run.name for run in runs}) < len(runs):
        raise ValueError(f'every run of a series needs a name of its own, got {[run.name for run in runs]}')
    if jobs < 1:
        raise ValueError(f'--jobs is how many runs go on at a time, at least 1; got {jobs}')
    with only_one(folder):
        for run in runs:
            _write_config(run, folder / run.name)
        missing = [run for run in runs if _results(folder / run.name, test) is None]
        say(f'{len(runs)} runs, {len(runs) - len(missing)} of them there already')
        progress, processes, failed = _Progress(len(missing), jobs, say), Processes(jobs), threading.Event()

        def one(run: Run) -> None:
            if failed.is_set():
                return
            started = time.monotonic()
            progress.logs[run.name] = folder / run.name / LOG
            try:
                _execute(run, folder / run.name, Path(tools), test, processes)
                if DIVERGED in (_results(folder / run.name, test) or {}):
                    say(f'{run.name} diverged')
            except BaseException:
                failed.set()
                say(f'{run.name} failed: runs under way finish, no other starts')
                raise
            progress.finished(run.name, time.monotonic() - started)

        with progress, ThreadPoolExecutor(max_workers=jobs) as pool, processes:
            for future in wait([pool.submit(one, run) for run in missing]).done:
                future.result()
        return {run.name: _results(folder / run.name, test) or {} for run in runs}


def _print(line: str) -> None:
    print(line, flush=True)  # in a log file too the line is there when the run is


class _Progress:
    """Says after each run how long the rest will take, at the pace so far; until the first has ended, where it is."""

    def __init__(self, total: int, jobs: int, say: Callable[[str], None]) -> None:
        self.total, self.jobs, self.say = total, jobs, say
        self.seconds: list[float] = []
        self.logs: dict[str, Path] = {}  # of the runs that have started
        self.lock, self.first_ended = threading.Lock(), threading.Event()

    def __enter__(self) -> '_Progress':
        threading.Thread(target=self._signs_of_life, daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        self.first_ended.set()

    def _signs_of_life(self) -> None:
        while not self.first_ended.wait(PULSE):
            for name, log in list(self.logs.items()):
                lines = log.read_text(errors='replace').splitlines() if log.is_file() else []
                self.say(f'{name}: {lines[-1] if lines else "starting"} (its log: {log})')

    def finished(self, name: str, seconds: float) -> None:
        self.first_ended.set()
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
    with written_aside(path) as aside:
        aside.write_text(text)


def _config(folder: Path) -> Path:
    """Beside the folder and not in it, where MMEngine puts the config as the Runner changed it."""
    return folder.with_name(folder.name + '.py')


def _results(folder: Path, test: Test) -> dict[str, Any] | None:
    """What tools/test.py wrote, with the test's protocols alone; None where a protocol or a tau is not there yet."""
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
    """Train to the end, resuming what is there, then evaluate; results appear only when complete."""
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
        raise ChildProcessError(f'{folder}: the training ended without a checkpoint; has its config a checkpoint hook?')
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
