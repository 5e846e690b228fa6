"""Processes of a series: one series per folder, and no process outlives its series."""
import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout  # a dependency of torch

LOCK = '.series.lock'
PR_SET_PDEATHSIG = 1
# Requests SIGTERM from Linux when the parent thread ends, for any reason.
END_WITH_PARENT = partial(ctypes.CDLL(None).prctl, PR_SET_PDEATHSIG, signal.SIGTERM) \
    if sys.platform == 'linux' else None


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Lock the folder until the block or the process ends.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BlockingIOError(f'Another series is running in {folder}. Wait until it ends or choose another '
                              '--work-dir.') from error
    try:
        yield
    finally:
        lock.release()


class Processes:
    """Running tools of a series; Ctrl-C and SIGTERM stop them together with the series."""

    def __init__(self, jobs: int) -> None:
        threads = str(max(1, (os.cpu_count() or 1) // jobs))
        self.environment = dict(os.environ, OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', threads))
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

    def run(self, command: list[str], log: IO[str]) -> int:
        """Run a command and return its exit code."""
        with self.lock:
            if self.stopped:
                raise RuntimeError('the series was stopped')
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self.environment,
                                       preexec_fn=END_WITH_PARENT)
            self.running.add(process)
        code = process.wait()
        with self.lock:
            self.running.discard(process)
        return code
