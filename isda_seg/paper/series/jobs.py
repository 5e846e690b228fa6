"""Resumable jobs: order, workers, retries, failures and progress."""
import json
import os
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, NamedTuple

from isda_seg.paper.series.processes import Processes, Slot, locked
from isda_seg.runtime.provenance import write_json

LOG = 'log.txt'
PROGRESS_INTERVAL = 30.0  # seconds between two progress lines before the first job ends
FULL = 2 ** 20            # free bytes below which a disk is called full
END = 8                   # lines of the log in the message of a failure
PATIENCE = 2.0            # seconds to wait for the lock of a job, which --status holds for a moment
ENDING = 60.0             # the same if the job was running: processes of a killed runner save a checkpoint and end

TORCHRUN_LINE = re.compile(r'torch[./]distributed[./]elastic')
TORCHRUN_REPORT = re.compile(TORCHRUN_LINE.pattern + r'.* failed \(exitcode')
REPORT_END = 'ChildFailedError'

Call = Callable[..., None]  # call(words, distributed=True): run a Python tool; raises ChildProcessError if it fails
Report = Callable[[str], None]


class Job(NamedTuple):
    """Work with an output folder that can be interrupted and continued."""
    name: str                      # unique
    folder: Path                   # holds its log
    execute: Callable[[Call], str]  # carries out what is missing; returns a remark or ''
    done: Callable[[], bool]
    after: tuple['Job', ...] = ()  # jobs that must be complete before this one starts


def run_jobs(jobs: Iterable[Job], slots: Sequence[Slot], report: Report, *, retries: int = 0,
             keep_going: bool = False) -> dict[str, str]:
    """Carry out the incomplete jobs, one per slot at a time.

    Ctrl-C and SIGTERM stop the running processes; on Linux, so does killing this process. The same call continues. Each
    job holds a lock, so that several processes can share the jobs of a folder.

    Args:
        jobs: jobs, each after those that it needs.
        slots: places of concurrent jobs.
        report: receives progress lines.
        retries: further attempts of a failed job.
        keep_going: start further jobs after a failure.

    Returns:
        job -> reason why it is incomplete, with ``keep_going``.

    Raises:
        ChildProcessError: without ``keep_going``, after the running jobs have finished: a job failed; the message has
            the end of its log.
        BlockingIOError: without ``keep_going``, another process carries out a job.
    """
    jobs = list(jobs)
    waiting = [job for job in jobs if not job.done()]
    report(f'{len(jobs)} runs, {len(jobs) - len(waiting)} of them complete')
    progress = Progress(len(waiting), len(slots), report)
    processes = Processes(sum(slot.ranks for slot in slots))
    problems: dict[str, str] = {}
    free, running, stop = list(slots), dict[Future[None], tuple[Job, Slot]](), threading.Event()
    first: OSError | None = None

    def execute(job: Job, slot: Slot) -> None:
        try:
            _execute(job, slot, processes, progress, retries)
        except OSError:
            if not keep_going:
                stop.set()
                report(f'{job.name} failed; running runs finish, no further run starts')
            raise

    with progress, ThreadPoolExecutor(max_workers=len(slots)) as pool, processes:
        while running or (waiting and not stop.is_set()):
            for job in () if stop.is_set() else list(waiting):
                needed = [need for need in job.after if not need.done()]
                pending = {other.name for other in [*waiting, *(found[0] for found in running.values())]}
                if lost := [need.name for need in needed if need.name not in pending]:
                    problems[job.name] = f'needs {lost[0]}, which is not complete'
                    waiting.remove(job)
                    report(f'{job.name} is not started: it {problems[job.name]}')
                elif free and not needed:
                    waiting.remove(job)
                    slot = free.pop(0)
                    progress.logs[job.name] = job.folder / LOG
                    running[pool.submit(execute, job, slot)] = job, slot
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                job, slot = running.pop(future)
                free.append(slot)
                try:
                    future.result()
                except OSError as error:
                    first = first or error
                    problems[job.name] = str(error)
    if first is not None and not keep_going:
        raise first
    return problems


def state_file(folder: Path) -> Path:
    """Return the file with the state of a job: state, attempt, host, process, times and error."""
    return folder.with_name(f'.{folder.name}.json')


def lock_file(folder: Path) -> Path:
    """Return the file that the process of a job locks."""
    return folder.with_name(f'.{folder.name}.lock')


def read_state(folder: Path) -> dict[str, Any]:
    """Read the state of a job; {} if it never started."""
    path = state_file(folder)
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def _execute(job: Job, slot: Slot, processes: Processes, progress: 'Progress', retries: int) -> None:
    """Carry out a job under its lock."""
    start = time.monotonic()
    patience = ENDING if read_state(job.folder).get('state') == 'running' else PATIENCE
    with locked(lock_file(job.folder), f'{job.name} is being carried out by another process', patience) as lock:
        if job.done():
            return

        def call(words: Sequence[str], distributed: bool = True) -> None:
            with (job.folder / LOG).open('a') as log:
                code = processes.run(slot.command(words, distributed), log, slot.gpus, lock)
            if code:
                full = ' on a full disk' if shutil.disk_usage(job.folder).free < FULL else ''  # its log may be cut
                raise ChildProcessError(f'{Path(words[0]).name} failed with code {code}{full} in {job.folder}; the end '
                                        f'of its {LOG}:\n{end_of(job.folder / LOG)}')

        job.folder.mkdir(parents=True, exist_ok=True)
        state = dict(host=socket.gethostname(), process=os.getpid(), gpus=slot.gpus, ranks=slot.ranks,
                     started=time.time())

        def note(**values: Any) -> None:
            try:
                write_json(state_file(job.folder), dict(state, attempt=attempt, **values))
            except OSError as error:  # a full disk; the job itself may have an output that exists already
                progress.report(f'{job.name}: its state for --status is not written: {error}')

        for attempt in range(1, retries + 2):
            note(state='running')
            try:
                remark = job.execute(call)
                break
            except OSError as error:
                note(state='failed', ended=time.time(), error=str(error))
                if attempt > retries:
                    raise
                progress.report(f'{job.name} failed and is tried once more: {error}')
        note(state='done', ended=time.time())
        if remark:
            progress.report(f'{job.name} {remark}')
    progress.finished(job.name, time.monotonic() - start)


def end_of(log: Path) -> str:
    """Return the last lines of a log, or '' without a log. The report that a failed torchrun appends is left out."""
    lines = log.read_text(errors='replace').splitlines() if log.is_file() else []
    reports = [number for number, line in enumerate(lines) if TORCHRUN_REPORT.search(line)]
    if reports and REPORT_END in ''.join(lines[reports[-1]:]):
        lines = [line for line in lines[:reports[-1]] if not TORCHRUN_LINE.search(line)]
    return '\n'.join(lines[-END:])


class Progress:
    """Report the estimated remaining time after each job, and the last log lines until the first job ends."""

    def __init__(self, total: int, jobs: int, report: Report) -> None:
        self.total, self.jobs, self.report = total, jobs, report
        self.seconds: list[float] = []
        self.logs: dict[str, Path] = {}  # logs of the started jobs
        self.lock, self.first_ended = threading.Lock(), threading.Event()

    def __enter__(self) -> 'Progress':
        """Start to report log lines."""
        threading.Thread(target=self._report_last_lines, daemon=True).start()
        return self

    def __exit__(self, *error: Any) -> None:
        """Stop to report log lines."""
        self.first_ended.set()

    def _report_last_lines(self) -> None:
        while not self.first_ended.wait(PROGRESS_INTERVAL):
            for name, log in list(self.logs.items()):
                lines = log.read_text(errors='replace').splitlines() if log.is_file() else []
                self.report(f'{name}: {lines[-1] if lines else "starting"} (its log: {log})')

    def finished(self, name: str, seconds: float) -> None:
        """Report a finished job."""
        self.first_ended.set()
        with self.lock:
            self.seconds.append(seconds)
            done = len(self.seconds)
            left = (self.total - done) * sum(self.seconds) / done / self.jobs
            self.report(f'{done}/{self.total} {name}: {seconds / 60:.1f} min; about {left / 60:.0f} min left')
