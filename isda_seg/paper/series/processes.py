"""Processes of jobs: a lock per job folder, GPUs and launcher of each process, and their end with the runner."""
import argparse
import ctypes
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

import torch
from filelock import FileLock, Timeout  # a dependency of torch

LOCK = '.series.lock'
PR_SET_PDEATHSIG = 1
# Requests SIGTERM from Linux when the parent thread ends, for any reason.
END_WITH_PARENT = partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, signal.SIGTERM) \
    if sys.platform == 'linux' else None
# torchrun chooses a free port itself and passes the signals after which a run saves a checkpoint.
TORCHRUN = ['-m', 'torch.distributed.run', '--standalone', '--local_addr', '127.0.0.1']
PASSED_ON = dict(TORCHELASTIC_SIGNALS_TO_HANDLE='SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1,SIGUSR2,SIGXCPU')


class Slot(NamedTuple):
    """Resources of one running job: its GPUs and its number of ranks."""
    gpus: tuple[str, ...] = ()  # for CUDA_VISIBLE_DEVICES; () leaves it unchanged
    ranks: int = 1

    def command(self, words: Sequence[str], distributed: bool) -> list[str]:
        """Return the command line of a Python tool, with torchrun for several ranks."""
        if self.ranks == 1 or not distributed:
            return [sys.executable, *words]
        return [sys.executable, *TORCHRUN, '--nproc_per_node', str(self.ranks), *words, '--launcher', 'pytorch']


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, as in CUDA_VISIBLE_DEVICES."""
    given = os.environ.get('CUDA_VISIBLE_DEVICES')
    if given is None:
        return [str(number) for number in range(torch.cuda.device_count())]
    return [name for name in given.split(',') if name] if torch.cuda.is_available() else []


def make_slots(jobs: int | None = None, gpus: Sequence[str] | None = None, per_run: int = 1) -> list[Slot]:
    """Spread the GPUs over concurrent jobs.

    Args:
        jobs: number of concurrent jobs; None for one per set of GPUs, or one on a CPU. More jobs than sets share GPUs.
        gpus: names of the GPUs; None for all visible ones.
        per_run: GPUs of a job. Without a GPU it is the number of CPU ranks.

    Raises:
        ValueError: ``jobs`` or ``per_run`` below 1, or fewer GPUs than ``per_run``.
    """
    if per_run < 1 or (jobs is not None and jobs < 1):
        raise ValueError(f'{"--jobs" if per_run >= 1 else "--gpus-per-run"} must be at least 1, got '
                         f'{jobs if per_run >= 1 else per_run}')
    gpus = visible_gpus() if gpus is None else list(gpus)
    if not gpus:
        return [Slot((), per_run)] * (jobs or 1)
    if len(gpus) < per_run:
        raise ValueError(f'--gpus-per-run is {per_run}, but there are {len(gpus)} GPUs ({", ".join(gpus)}). Use fewer '
                         'per run, or a machine with more')
    sets = [tuple(gpus[first:first + per_run]) for first in range(0, len(gpus) - per_run + 1, per_run)]
    return [Slot(sets[number % len(sets)], per_run) for number in range(jobs or len(sets))]


def add_devices(parser: argparse.ArgumentParser, per_run: int | None = 1, shown: str = '%(default)s') -> None:
    """Add ``--gpus`` and ``--gpus-per-run`` for ``make_slots``."""
    parser.add_argument('--gpus', nargs='+', metavar='GPU', help='GPUs to use, as in CUDA_VISIBLE_DEVICES; default all '
                        'visible ones')
    parser.add_argument('--gpus-per-run', type=int, default=per_run, metavar='N',
                        help=f'number of GPUs of each run; on a CPU, number of ranks; default {shown}')


@contextmanager
def locked(path: Path, message: str, timeout: float = 0) -> Iterator[int | None]:
    """Hold a lock file until the block ends; yield its file descriptor, None where processes cannot inherit it.

    If this process is killed, the lock stays until the processes have ended that inherited the descriptor. On a file
    system without locks there is a warning and no lock.

    Raises:
        BlockingIOError: another process holds the lock after ``timeout`` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise BlockingIOError(message) from error
    except NotImplementedError:  # of filelock, for some network file systems
        warnings.warn(f'The file system of {path.parent} does not support locks, so two '
                      'processes may train the same run. Give each process different runs.', stacklevel=3)
    held = getattr(lock._context, 'lock_file_fd', None) if os.name == 'posix' else None
    inherited = None if held is None else os.dup(held)  # filelock closes its own descriptor in a new process
    try:
        yield inherited
    finally:
        lock.release()
        if inherited is not None:
            os.close(inherited)


def folder_lock(folder: Path) -> Any:
    """Lock the folder of a series; raise as ``locked``."""
    return locked(folder / LOCK, f'Another series is running in {folder}. Wait until it ends or choose another '
                                 '--work-dir.')


class Processes:
    """Running processes of jobs; Ctrl-C and SIGTERM stop them together with the jobs.

    Args:
        number: processes that share the cores, unless OMP_NUM_THREADS is set.
    """

    def __init__(self, number: int) -> None:
        threads = str(max(1, (os.cpu_count() or 1) // number))
        self.environment = {**PASSED_ON, **os.environ, 'OMP_NUM_THREADS': os.environ.get('OMP_NUM_THREADS', threads)}
        self.running: set[subprocess.Popen[bytes]] = set()
        self.stopped = False
        self.lock = threading.Lock()

    def __enter__(self) -> 'Processes':
        """Handle SIGTERM like an exit of the program."""
        self.in_main = threading.current_thread() is threading.main_thread()  # only the main thread may handle signals
        if self.in_main:
            self.before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        """Terminate running processes on Ctrl-C or SIGTERM, and restore the signal handler."""
        if kind is not None and not issubclass(kind, Exception):
            with self.lock:
                self.stopped = True
                for process in self.running:
                    process.terminate()
        if self.in_main:
            signal.signal(signal.SIGTERM, self.before)

    def run(self, command: list[str], log: IO[str], gpus: Sequence[str] = (), lock: int | None = None) -> int:
        """Run a command, which sees these GPUs and inherits a lock's descriptor, and return its exit code."""
        devices = dict(CUDA_VISIBLE_DEVICES=','.join(gpus)) if gpus else {}
        with self.lock:
            if self.stopped:
                raise RuntimeError('the series was stopped')
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self.environment | devices,
                                       preexec_fn=END_WITH_PARENT, pass_fds=() if lock is None else (lock,))
            self.running.add(process)
        code = process.wait()
        with self.lock:
            self.running.discard(process)
        return code
