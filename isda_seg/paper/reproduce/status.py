"""State of all runs of a plan, read from their folders while they run."""
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

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
