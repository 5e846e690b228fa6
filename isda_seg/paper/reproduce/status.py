"""State of all runs of a plan, read from their folders while they run: as text, and as a screen."""
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from mmengine.config import Config

from isda_seg.paper.reproduce.plan import Plan, Planned
from isda_seg.paper.result_tables import markdown
from isda_seg.paper.series.curves import read_entries
from isda_seg.paper.series.jobs import LOG, lock_file, read_state
from isda_seg.paper.series.processes import locked
from isda_seg.paper.series.result_files import DIVERGED
from isda_seg.paper.series.training_runs import read_result

VALIDATED = {'mIoU': 'mIoU', 'top1_error': 'error', 'coco/bbox_mAP': 'box mAP'}  # key of a validation -> name
SCALE = {'coco/bbox_mAP': 100.0}  # logged as a fraction
INTERVAL = 5.0   # seconds between two refreshes of the screen
MESSAGES = 6     # last messages below the state
CLEAR = '\x1b[H\x1b[J'


class Status(NamedTuple):
    """State of a run."""
    state: str                   # done, diverged, running, failed, interrupted or waiting
    progress: str = ''           # such as '1200/40000'
    loss: float | None = None
    measure: str = ''            # last validation
    left: float | None = None    # estimated seconds to the end of training
    error: str = ''


def run_status(planned: Planned, folder: Path) -> Status:
    """Return the state of a run."""
    place = folder / planned.run.name
    result = read_result(place, planned.test)
    if result is not None:
        return Status(DIVERGED if DIVERGED in result else 'done')
    state = read_state(place)
    known = state.get('state', '')
    if known == 'running' and not _held(place):
        known = 'interrupted'  # its process was killed
    progress, loss, measure, left = training_progress(planned.run.cfg, place)
    return Status(known or 'waiting', progress, loss, measure, left if known == 'running' else None,
                  state.get('error', '') if known == 'failed' else '')


def _held(place: Path) -> bool:
    try:
        with locked(lock_file(place), ''):
            return False
    except BlockingIOError:
        return True


def training_progress(cfg: Config, place: Path) -> tuple[str, float | None, str, float | None]:
    """Return progress, loss, last validation and remaining seconds of a training from its log."""
    try:
        entries = read_entries(place)
    except (FileNotFoundError, ValueError):
        return '', None, '', None
    steps = [entry for entry in entries if 'loss' in entry and 'step' in entry]
    validated = [(name, SCALE.get(key, 1.0) * entry[key]) for entry in entries for key, name in VALIDATED.items()
                 if key in entry]
    measure = f'{validated[-1][0]} {validated[-1][1]:.2f}' if validated else ''
    if not steps:
        return '', None, measure, None
    last: dict[str, Any] = steps[-1]
    if 'max_iters' in cfg.train_cfg:
        done, total, unit = int(last['step']), int(cfg.train_cfg.max_iters), ''
        share = done / total
    else:
        done, total, unit = int(last.get('epoch', 1)), int(cfg.train_cfg.max_epochs), 'epoch '
        share = (done - 0.5) / total  # within the epoch
    spent = int(last['step']) * float(last.get('time', 0))
    return f'{unit}{done}/{total}', float(last['loss']), measure, max(0.0, spent / share - spent)


def status_text(plan: Plan, now: Callable[[], float] = time.time) -> str:
    """Return a table of the runs that are neither waiting nor done, the counts of all, and the failures."""
    found = {planned.run.name: run_status(planned, plan.folder) for planned in plan.runs}
    states = [status.state for status in found.values()]
    counts = ', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))
    rows = [['run', 'state', 'progress', 'loss', 'last validation', 'time left']]
    rows += [[name, status.state, status.progress, '' if status.loss is None else f'{status.loss:.4f}', status.measure,
              '' if status.left is None else duration(status.left)]
             for name, status in found.items() if status.state not in ('waiting', 'done')]
    blocks = [f'{plan.table.title}: {len(found)} runs, {counts}, at {time.strftime("%H:%M:%S", time.localtime(now()))}']
    blocks += [markdown(rows)] if len(rows) > 1 else []
    blocks += [f'{name} failed. Its log: {plan.folder / name / LOG}\n{status.error}'
               for name, status in found.items() if status.state == 'failed']
    return '\n\n'.join(blocks)


def duration(seconds: float) -> str:
    """Format a duration in minutes, hours or days."""
    if seconds < 5400:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h' if seconds < 172_800 else f'{seconds / 86_400:.1f} days'


class StatusScreen:
    """Refresh the text of --status and the last messages on a terminal; elsewhere, print each message as a line."""

    def __init__(self, plan: Plan, stream: TextIO | None = None) -> None:
        self.plan, self.stream = plan, stream or sys.stdout
        self.live = self.stream.isatty()
        self.messages: list[str] = []
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._refresh, daemon=True)

    def __enter__(self) -> 'StatusScreen':
        """Start to refresh."""
        if self.live:
            self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the last state on the terminal."""
        self.ended.set()
        if self.live:
            self.thread.join()

    def say(self, message: str) -> None:
        """Show a message."""
        with self.lock:
            self.messages = [*self.messages, message][-MESSAGES:]
            if not self.live:
                print(message, file=self.stream, flush=True)

    def _refresh(self) -> None:
        ending = False
        while True:
            with self.lock:
                print(CLEAR + self.text(), file=self.stream, flush=True)
            if ending:
                return
            ending = self.ended.wait(INTERVAL)

    def text(self) -> str:
        """Return as much of state and messages as the terminal has lines for."""
        width, height = shutil.get_terminal_size()
        try:
            state = status_text(self.plan).splitlines()
        except OSError as error:  # a file that is being replaced, on some network file systems
            state = [f'the state of the runs cannot be read: {error}']
        below = [line for message in self.messages for line in message.splitlines()[:1]]
        free = height - 2 - _rows(below, width)
        shown = list(state)
        while shown and _rows(shown, width) > free:
            shown.pop()
        more = [f'... {len(state) - len(shown)} more lines: --status'] if len(shown) < len(state) else []
        return '\n'.join([*shown, *more, *below])


def _rows(lines: list[str], width: int) -> int:
    """Return the number of lines of the terminal that wrapped lines take."""
    return sum(1 + max(0, len(line) - 1) // width for line in lines)
