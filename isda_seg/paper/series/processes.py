"""The processes of a series: one series in a folder at a time, and none of its processes outlives it."""
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None
PR_SET_PDEATHSIG = 1


def _end_with_parent() -> None:
    """Linux sends this process SIGTERM when the thread that started it ends, however it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder; the system lets go of it when this process ends.

    Raises:
        BlockingIOError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BlockingIOError(f'another series is under way in {folder}: wait for its end, or choose another '
                                  '--work-dir') from error
        yield
    finally:
        os.close(lock)


class Processes:
    """The tools under way: who stops the series, by Ctrl-C or SIGTERM, stops them too."""

    def __init__(self, jobs: int) -> None:
        threads = str(max(1, (os.cpu_count() or 1) // jobs))
        self.environment = dict(os.environ, OMP_NUM_THREADS=os.environ.get('OMP_NUM_THREADS', threads))
        self.running: set[subprocess.Popen] = set()
        self.stopped = False
        self.lock = threading.Lock()

    def __enter__(self) -> 'Processes':
        self.in_main = threading.current_thread() is threading.main_thread()  # no other thread may handle signals
        if self.in_main:
            self.before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> None:
        if kind is not None and not issubclass(kind, Exception):
            with self.lock:
                self.stopped = True
                for process in self.running:
                    process.terminate()
        if self.in_main:
            signal.signal(signal.SIGTERM, self.before)

    def run(self, command: list[str], log: IO[str]) -> int:
        """The exit code."""
        with self.lock:
            if self.stopped:
                raise RuntimeError('the series was stopped')
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=self.environment,
                                       preexec_fn=_end_with_parent if LIBC else None)
            self.running.add(process)
        code = process.wait()
        with self.lock:
            self.running.discard(process)
        return code
