"""A training hook that writes down what a run starts from and what it sees, and dies where it is told to.

A config names it in ``custom_imports`` and ``custom_hooks``; who trains it needs the folder of the tests in PYTHONPATH.
"""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from helpers import tiny

FILE, DIES = 'spied.jsonl', 'SPY_DIES_AT'
SEES_US = os.pathsep.join([str(tiny.ROOT), str(tiny.ROOT / 'tests')])
tiny.leave_layout()


@HOOKS.register_module()
class SpyHook(Hook):
    """Lines of JSON in the work directory: the initial weights, then every step. With SPY_DIES_AT=RUN:ITERATION the
    process group is killed before that iteration of the run in such a folder."""

    priority = 'LOWEST'

    def write(self, runner, **what):
        with open(os.path.join(runner.work_dir, FILE), 'a') as file:
            file.write(json.dumps(what) + '\n')

    def before_train(self, runner):
        weights = [value for name, value in runner.model.state_dict().items() if '.statistics.' not in name]
        self.write(runner, start=runner.iter, tensors=len(weights), weights=tiny.digest(weights))

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        run, _, iteration = os.environ.get(DIES, '').rpartition(':')
        if run and runner.work_dir.endswith(run) and runner.iter == int(iteration):
            os.killpg(os.getpgid(0), signal.SIGKILL)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        samples = data_batch['data_samples']
        self.write(runner, iter=runner.iter, files=[Path(sample.img_path).name for sample in samples],
                   batch=tiny.digest([*data_batch['inputs'], *(sample.gt_sem_seg.data for sample in samples)]),
                   loss=outputs['loss'].item())


def write_configs(folder, options='', **counts):
    """The tiny twin configs with the hook in both, and what else is appended to the plain one."""
    plain, isda = tiny.write_configs(folder, **counts)
    for path in (plain, isda):
        path.write_text(path.read_text().replace("'isda_seg.segmentation'", "'isda_seg.segmentation', 'helpers.spy'"))
    plain.write_text(plain.read_text() + f"custom_hooks = [dict(type='SpyHook')]\n{options}")
    return plain, isda


def spied(work_dir):
    """What the hook wrote in a work directory."""
    return [json.loads(line) for line in (Path(work_dir) / FILE).read_text().splitlines()]


def benchmark(name, *arguments, cwd):
    """Run tools/benchmarks/<name>, itself in this process and its runs in theirs; gives what it printed."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.chdir(cwd)
        patch.setenv('PYTHONPATH', SEES_US)
        tiny.run_tool(patch, f'benchmarks/{name}', *arguments)
    return printed.getvalue()


def killed_benchmark(name, *arguments, cwd, at):
    """The same in a process group of its own, which the hook kills at RUN:ITERATION; gives the dead process."""
    return subprocess.run([sys.executable, '-W', 'ignore', str(tiny.ROOT / 'tools' / 'benchmarks' / name),
                           *map(str, arguments)], cwd=cwd, env={**os.environ, 'PYTHONPATH': SEES_US, DIES: at},
                          capture_output=True, text=True, start_new_session=True, timeout=600)
