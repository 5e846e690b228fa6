"""Trial of a config: its first training steps, with their duration and memory."""
import copy
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.paper.reproduce.plan import Plan, Planned
from isda_seg.paper.series.jobs import Call, Job
from isda_seg.paper.series.training_runs import Run, write_config
from isda_seg.runtime.provenance import write_json

STEPS, WARM_UP = 10, 4  # the first steps choose algorithms and start workers
FILE = 'trial.json'


@HOOKS.register_module()
class TrialHook(Hook):
    """End the training after ``STEPS`` steps and write seconds per step, largest memory and losses to ``trial.json``.

    Raises:
        FloatingPointError: a loss is not finite.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.times: list[float] = []
        self.losses: list[float] = []

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Note the time; after the last step write the file and exit."""
        self.losses.append(torch.as_tensor((outputs or {})['loss']).item())  # waits for the device
        self.times.append(time.monotonic())
        if not torch.tensor(self.losses[-1]).isfinite():
            raise FloatingPointError(f'the loss of step {len(self.losses)} is {self.losses[-1]}')
        if len(self.times) == STEPS:
            cuda = torch.cuda.is_available()
            if is_main_process():
                write_json(Path(runner.work_dir, FILE), dict(
                    seconds=(self.times[-1] - self.times[WARM_UP - 1]) / (STEPS - WARM_UP), losses=self.losses,
                    memory=torch.cuda.max_memory_allocated() if cuda else None,
                    device_memory=torch.cuda.get_device_properties(0).total_memory if cuda else None))
            barrier()
            raise SystemExit(0)


def trial_folder(planned: Planned, folder: Path) -> Path:
    """Return the folder of the trial of an arm."""
    return folder / 'trials' / f'{planned.arm.folder}_{planned.ranks}'


def read_trial(planned: Planned, folder: Path) -> dict[str, Any] | None:
    """Read the trial of an arm with this number of GPUs; None without one."""
    path = trial_folder(planned, folder) / FILE
    return dict(json.loads(path.read_text())) if path.is_file() else None


def trial_jobs(plan: Plan, tools: Path) -> list[Job]:
    """Return a job per arm that trains its first steps and keeps no checkpoint; runs that need a backbone are left out.

    A trial of the same settings is not repeated.
    """
    jobs: dict[str, Job] = {}
    for planned in plan.runs:
        place = trial_folder(planned, plan.folder)
        if planned.needs or str(place) in jobs:
            continue
        cfg = copy.deepcopy(planned.run.cfg)
        imports = cfg.get('custom_imports') or {}
        cfg.custom_imports = dict(imports=[*imports.get('imports', []), __name__], allow_failed_imports=False)
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type=TrialHook.__name__)]
        cfg.default_hooks = dict(cfg.get('default_hooks') or {}, checkpoint=None)
        write_config(Run(planned.run.name, cfg), place)
        jobs[str(place)] = Job(f'trial of {planned.arm.label}', place, partial(_execute, place, tools),
                               (place / FILE).is_file)
    return list(jobs.values())


def _execute(place: Path, tools: Path, call: Call) -> str:
    call([str(tools / 'train.py'), str(place.with_name(f'{place.name}.py')), '--work-dir', str(place)])
    if not (place / FILE).is_file():
        raise ChildProcessError(f'{place}: the training ended before {STEPS} steps')
    return ''
