"""Resumable series of training runs, each trained and evaluated once."""
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from isda_seg.paper.series.jobs import Call, Job, run_jobs
from isda_seg.paper.series.processes import Slot, folder_lock, make_slots
from isda_seg.paper.series.result_files import DIVERGED
from isda_seg.runtime.checkpoint import latest_checkpoint
from isda_seg.runtime.durable import written_aside
from isda_seg.runtime.logit_adjustment import KEY
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.sound_run import diverged

RESULTS = 'results.json'


class Run(NamedTuple):
    """One training run of a series."""
    name: str    # folder below the folder of the series
    cfg: Config  # complete config with seed and options


class Evaluation(NamedTuple):
    """How tools/test.py evaluates all checkpoints of a series."""
    protocols: tuple[str, ...]
    taus: tuple[str, ...]  # values of --logit-adjustment, formatted as in results


def run_series(runs: Iterable[Run], folder: str | Path, tools: str | Path, protocols: Iterable[str],
               jobs: int | Sequence[Slot] = 1, report: Callable[[str], None] | None = None,
               taus: Iterable[float] = ()) -> dict[str, dict[str, Any]]:
    """Train and evaluate the missing runs, and read all results.

    Every run has its config in ``folder/name.py`` and log, checkpoints and results in ``folder/name``. Interrupted runs
    resume. Ctrl-C and SIGTERM stop the running processes; on Linux, so does killing the series.

    Args:
        runs: runs with unique names.
        folder: folder of all runs.
        tools: folder of train.py and test.py.
        protocols: protocols for tools/test.py.
        jobs: number of concurrent runs, spread over the visible GPUs, or their slots. Processes share the cores unless
            OMP_NUM_THREADS is set.
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
    test = make_test(protocols, taus)
    if len({run.name for run in runs}) < len(runs):
        raise ValueError(f'Runs of a series need unique names, got {[run.name for run in runs]}')
    slots = make_slots(jobs) if isinstance(jobs, int) else jobs
    with folder_lock(folder):
        for run in runs:
            write_config(run, folder / run.name)
        run_jobs([training_job(run, folder, Path(tools), test) for run in runs], slots, report)
        return {run.name: read_result(folder / run.name, test) or {} for run in runs}


def make_test(protocols: Iterable[str], taus: Iterable[float] = ()) -> Evaluation:
    """Return the test settings; tau = 0 is part of every test."""
    return Evaluation(tuple(protocols), tuple(dict.fromkeys(f'{tau:g}' for tau in taus if tau)))


def training_job(run: Run, folder: Path, tools: Path, test: Evaluation, after: tuple[Job, ...] = (),
                 options: Sequence[str] = ()) -> Job:
    """Return the job that trains and evaluates a run, whose config ``write_config`` has written.

    ``options`` are added to the command of the training; they must not change its result.
    """
    place = folder / run.name
    return Job(run.name, place, partial(_execute, run, place, tools, test, options),
               lambda: read_result(place, test) is not None, after)


def write_config(run: Run, folder: Path) -> None:
    """Write the config of a run; raise if the folder holds a run with another config."""
    path = _config(folder)
    text = run.cfg.pretty_text
    if path.is_file() and path.read_text(encoding='utf-8') != text:
        raise ValueError(f'{folder} holds a run with other settings (see {path.name}). Choose another '
                         '--work-dir or delete both')
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


def read_result(folder: Path, test: Evaluation) -> dict[str, Any] | None:
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


def _execute(run: Run, folder: Path, tools: Path, test: Evaluation, options: Sequence[str], call: Call) -> str:
    """Train to the end, resuming if possible, then evaluate; results are written only when complete."""
    config = str(_config(folder))
    try:
        call([str(tools / 'train.py'), config, '--work-dir', str(folder), '--resume', *options])
    except ChildProcessError:
        if (found := diverged(folder)) is None:
            raise
        write_json(folder / RESULTS, {'protocols': {}, DIVERGED: found, 'config': os.path.relpath(config),
                                      'training': [provenance()]})
        return 'diverged'
    checkpoint = latest_checkpoint(str(folder), run.cfg.get('default_hooks', {}).get('checkpoint'))
    if checkpoint is None:
        raise ChildProcessError(f'{folder}: the training wrote no checkpoint. Add a checkpoint hook to the config')
    call([str(tools / 'test.py'), config, str(checkpoint), '--work-dir', str(folder / 'test'),
          '--protocols', *test.protocols, *(['--logit-adjustment', *test.taus] if test.taus else []),
          '--out', str(folder / RESULTS)])
    return ''
