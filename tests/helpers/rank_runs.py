"""Training on several ranks through the scripts that users run, and hooks for the configs of such tests."""
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from torch.nn.modules.batchnorm import _BatchNorm

from helpers import tiny


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def run(folder, script, *arguments):
    """Run a script of tools/ with this Python, on a free port; modules in `folder` can be imported."""
    paths = [str(tiny.ROOT), str(tiny.ROOT / 'tests'), str(folder)]
    environment = dict(os.environ, PYTHON=sys.executable, PORT=str(free_port()), OMP_NUM_THREADS='1',
                       PYTHONPATH=os.pathsep.join(paths))
    done = subprocess.run(['bash', str(tiny.ROOT / 'tools' / script), *map(str, arguments)], env=environment,
                          capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def ranks(work_dir, count):
    """What every rank recorded, step by step."""
    assert len(list(work_dir.glob('rank*.json'))) == count
    return [json.loads((work_dir / f'rank{rank}.json').read_text()) for rank in range(count)]


@HOOKS.register_module()
class FrozenNorms(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for module in runner.model.modules():
            if isinstance(module, _BatchNorm):
                module.eval()


class RankRecord(Hook):
    """rank<r>.json: for every step what `of(model, data_batch)` gives, with hashes of weights and norm buffers."""

    priority = 'LOWEST'

    def of(self, model, data_batch):
        raise NotImplementedError

    def before_train(self, runner):
        tiny.leave_layout()
        self.steps = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        norms = tiny.digest(v for k, v in model.state_dict().items() if 'running_' in k)
        self.steps.append(dict(weights=tiny.digest(model.parameters()), norms=norms, **self.of(model, data_batch)))

    def after_train(self, runner):
        Path(runner.work_dir, f'rank{runner.rank}.json').write_text(json.dumps(self.steps))
