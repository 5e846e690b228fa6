"""Properties of runs that a scheduler ends: they save at the next step, exit with the signal's status, and resume."""

import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import torch
from helpers import rank_runs, tiny
from helpers.exhaustive import exhaustive
from helpers.two_ranks import two_ranks
from mmengine.hooks import Hook

from isda_seg.paper.series.processes import PASSED_ON
from isda_seg.runtime.checkpoint import latest_checkpoint
from isda_seg.runtime.signals import SIGNALS, SignalHook, ignore_signals_in_worker

pytestmark = tiny.on_cpu

EPOCHS = {'train_dataloader.sampler.type': 'DefaultSampler',
          'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2, val_begin=1),
          'default_hooks.checkpoint.by_epoch': True, 'default_hooks.checkpoint.interval': 1}
VALIDATED = {'train_cfg.val_begin': 1, 'train_cfg.val_interval': 3, 'default_hooks.checkpoint.save_best': 'mIoU',
             'default_hooks.checkpoint.interval': 4}
SLURM = dict(SLURM_JOB_ID='77', SLURM_JOB_NAME='tiny', SLURM_PROCID='0', SLURM_LOCALID='0', SLURM_NTASKS='1',
             SLURM_NODELIST='node1', SLURM_NNODES='1', SLURM_SUBMIT_DIR='.', SLURM_RESTART_COUNT='0')
SRUN = '''"""A stub of srun: it starts the command as the task of a job, and signals its processes as Slurm does."""
import os, signal, subprocess, sys, time
from pathlib import Path

work, command = Path(sys.argv[1]), sys.argv[2:]
task = subprocess.Popen(command, start_new_session=True)
while not (work / 'step_3').exists() and task.poll() is None:
    time.sleep(0.01)
for name in ('SIGUSR1', 'SIGTERM'):
    if task.poll() is None:
        os.killpg(task.pid, getattr(signal, name))  # the workers of the data loader too
        time.sleep(0.2)
sys.exit(task.wait())
'''
MARKS = '''"""Marks of steps, so that the stub knows when to send its signals."""
import time
from pathlib import Path

from helpers import tiny
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

tiny.leave_layout()


@HOOKS.register_module()
class MarkHook(Hook):
    def before_train_iter(self, runner, batch_idx, data_batch=None):
        Path(runner.work_dir, f'step_{runner.iter}').touch()
        if runner.iter == 3:
            time.sleep(1)  # the signals of the stub come within this step
'''


class SendHook(Hook):
    """Send a signal to this process before an iteration, or during the first batch of a validation."""

    def __init__(self, number, iteration=None, in_validation=False):
        self.number, self.iteration, self.in_validation = number, iteration, in_validation

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            os.kill(os.getpid(), self.number)

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if self.in_validation:
            os.kill(os.getpid(), self.number)


@pytest.fixture(scope='module', autouse=True)
def no_pause():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.runner.loops.time', SimpleNamespace(sleep=lambda seconds: None))
        yield


@pytest.fixture(autouse=True)
def own_handlers():
    """A run that a signal ended leaves its handlers in place."""
    yield
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope='module')
def config(tmp_path_factory):
    return tiny.write_configs(tmp_path_factory.mktemp('signals'), train=5)[1]


def run_whole(config, work, options):
    runner, steps = tiny.train(config, work, options)
    return SimpleNamespace(state=tiny.full_state(runner), steps=steps)


def interrupt(config, work, options, hook, resume=None):
    """Train until the signal of a hook ends the run; returns the exit code and the recorded steps."""
    runner = tiny.build(config, work, options, resume=resume)
    recorder = tiny.recording(runner)
    runner.register_hook(hook)
    with pytest.raises(SystemExit) as end:
        runner.train()
    return end.value.code, recorder.steps


def assert_goes_on(whole, config, work, options, done):
    runner, rest = tiny.train(config, work, options, resume='latest')
    assert rest == whole.steps[done:]
    assert tiny.differing(tiny.full_state(runner), whole.state) == []


@pytest.fixture(scope='module')
def by_iterations(config, tmp_path_factory):
    """An uninterrupted run of six steps with validations after the third and the sixth."""
    return run_whole(config, tmp_path_factory.mktemp('whole'), VALIDATED)


@exhaustive('number', SIGNALS)
def test_a_signal_saves_at_the_next_step_and_resume_is_bitwise(config, by_iterations, tmp_path, number):
    code, steps = interrupt(config, tmp_path, VALIDATED, SendHook(number, 1))
    assert (code, steps) == (128 + number, by_iterations.steps[:1])  # the hook exits before the second is recorded
    assert latest_checkpoint(str(tmp_path)) == tmp_path / 'interrupted_iter_2.pth'
    log = next(tmp_path.glob('*/*.log')).read_text()
    assert f'received {signal.Signals(number).name}: saved {tmp_path}/interrupted_iter_2.pth after iteration 2' in log
    assert_goes_on(by_iterations, config, tmp_path, VALIDATED, 2)
    assert sorted(path.name for path in tmp_path.glob('i*.pth')) == ['iter_4.pth', 'iter_6.pth']


@exhaustive('hook', [dict(iteration=2), dict(in_validation=True)], ids=['before', 'during'])
def test_an_interrupted_validation_is_run_at_resume(config, by_iterations, tmp_path, hook):
    code, _ = interrupt(config, tmp_path, VALIDATED, SendHook(signal.SIGTERM, **hook))
    assert code == 143
    assert torch.load(tmp_path / 'interrupted_iter_3.pth', weights_only=False)['meta']['validation_due'] is True
    validated = []

    class Count(Hook):
        def after_val_epoch(self, runner, metrics=None):
            validated.append(runner.iter)

    runner = tiny.build(config, tmp_path, VALIDATED, resume='latest')
    runner.register_hook(Count())
    runner.train()
    assert validated == [3, 6]
    assert tiny.differing(tiny.full_state(runner), by_iterations.state) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize('step', [1, 2])
def test_a_signal_inside_an_epoch_resumes_inside_it(config, tmp_path, step):
    whole = run_whole(config, tmp_path / 'whole', EPOCHS)
    code, _ = interrupt(config, tmp_path / 'work', EPOCHS, SendHook(signal.SIGTERM, step))
    assert code == 143
    assert [path.name for path in (tmp_path / 'work').glob('*.pth')] == [f'interrupted_iter_{step + 1}.pth']
    assert_goes_on(whole, config, tmp_path / 'work', EPOCHS, step + 1)
    assert sorted(path.name for path in (tmp_path / 'work').glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']


@pytest.mark.exhaustive
def test_a_second_interruption_replaces_the_file_of_the_first(config, by_iterations, tmp_path):
    interrupt(config, tmp_path, VALIDATED, SendHook(signal.SIGUSR1, 0))
    interrupt(config, tmp_path, VALIDATED, SendHook(signal.SIGTERM, 1), resume='latest')
    assert [path.name for path in tmp_path.glob('interrupted*')] == ['interrupted_iter_2.pth']
    assert_goes_on(by_iterations, config, tmp_path, VALIDATED, 2)


def test_handlers_are_restored_and_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        hook = SignalHook()
        hook.before_train(SimpleNamespace(val_loop=None))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        os.kill(os.getpid(), signal.SIGTERM)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU):
            os.kill(os.getpid(), number)
        assert hook.received == signal.SIGTERM
        hook.restore()
        assert [signal.getsignal(number) for number in SIGNALS] == [
            signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL for number in SIGNALS]
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_in_a_thread_installs_no_handlers():
    hook = SignalHook()
    thread = threading.Thread(target=hook.before_train, args=[SimpleNamespace(val_loop=None)])
    thread.start()
    thread.join()
    assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL] * len(SIGNALS)
    assert hook.handlers == {}


def test_launchers_pass_on_all_signals_of_a_run():
    script = (tiny.ROOT / 'tools' / 'dist_train.sh').read_text()
    assert PASSED_ON['TORCHELASTIC_SIGNALS_TO_HANDLE'] in script
    assert set(PASSED_ON['TORCHELASTIC_SIGNALS_TO_HANDLE'].split(',')) >= {number.name for number in SIGNALS}


def test_workers_survive_signals_to_the_job_but_not_from_the_main_process():
    child = os.fork()
    if child == 0:
        ignore_signals_in_worker()
        time.sleep(60)
        os._exit(1)
    time.sleep(0.5)
    for name in ('USR1', 'HUP', 'USR2', 'XCPU', 'TERM', 'TERM'):
        subprocess.run(['kill', f'-{name}', str(child)], check=True)  # another process, as a scheduler is
    time.sleep(0.5)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, signal.SIGTERM)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def agreed_steps(rank, folder, *arguments):
    """The signal that the hook reports after each of five steps; rank 1 gets SIGUSR1 during step 1."""
    hook = SignalHook()
    found = []
    for step in range(5):
        if rank == 1 and step == 1:
            hook._receive(int(signal.SIGUSR1), None)
        found.append(hook._over_ranks())
    hook.pending[0].wait()
    return found


def test_ranks_agree_on_the_step(tmp_path):
    number = int(signal.SIGUSR1)
    assert two_ranks(agreed_steps, tmp_path) == [[0, 0, number, number, number]] * 2


@pytest.mark.exhaustive
def test_a_slurm_job_that_gets_usr1_and_term_resumes_bitwise(config, by_iterations, tmp_path):
    (tmp_path / 'srun.py').write_text(SRUN)
    (tmp_path / 'marks.py').write_text(MARKS)
    (tmp_path / 'marked.py').write_text(
        f"_base_ = {str(config)!r}\ncustom_imports = dict(imports=['isda_seg.losses', 'isda_seg.hooks', "
        "'isda_seg.segmentation', 'marks'], allow_failed_imports=False)\ncustom_hooks = [dict(type='MarkHook')]\n"
        "train_dataloader = dict(num_workers=2)\ntrain_cfg = dict(val_begin=1, val_interval=3)\n"
        "default_hooks = dict(checkpoint=dict(interval=4, save_best='mIoU'))\n")
    work = tmp_path / 'work'
    work.mkdir()
    paths = [str(tiny.ROOT), str(tiny.ROOT / 'tests'), str(tmp_path)]
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(paths), OMP_NUM_THREADS='1', **SLURM)
    command = [sys.executable, str(tiny.ROOT / 'tools/train.py'), str(tmp_path / 'marked.py'), '--work-dir', str(work),
               '--resume']
    done = subprocess.run([sys.executable, str(tmp_path / 'srun.py'), str(work), *command], env=environment,
                          capture_output=True, text=True, timeout=600)
    assert done.returncode == 128 + signal.SIGUSR1, done.stdout[-2000:] + done.stderr[-4000:]
    assert 'received SIGUSR1: saved' in done.stdout
    assert 'Traceback' not in done.stderr, done.stderr
    assert not (work / 'step_4').exists() and (work / 'interrupted_iter_4.pth').exists()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)  # as Slurm requeues it
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert tiny.differing(tiny.saved_state(work / 'iter_6.pth'), by_iterations.state) == []


@pytest.mark.exhaustive
def test_all_ranks_of_a_run_stop_after_the_same_step(config, tmp_path):
    whole, work = tmp_path / 'whole', tmp_path / 'work'
    (tmp_path / 'one_rank.py').write_text(
        'import os, signal\nfrom helpers import tiny\nfrom mmengine.hooks import Hook\n'
        "from mmengine.registry import HOOKS\ntiny.leave_layout()\n\n\n@HOOKS.register_module()\nclass OneRank(Hook):\n"
        "    def before_train_iter(self, runner, batch_idx, data_batch=None):\n"
        "        if runner.rank == 1 and runner.iter == 1 and os.environ.get('SEND'):\n"
        "            os.kill(os.getpid(), signal.SIGUSR1)\n")
    (tmp_path / 'sending.py').write_text(
        f"_base_ = {str(config)!r}\ncustom_imports = dict(imports=['isda_seg.losses', 'isda_seg.hooks', "
        "'isda_seg.segmentation', 'one_rank'], allow_failed_imports=False)\ncustom_hooks = [dict(type='OneRank')]\n")
    rank_runs.run(tmp_path, 'dist_train.sh', tmp_path / 'sending.py', 2, '--work-dir', whole)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(AssertionError):
        patch.setenv('SEND', '1')
        rank_runs.run(tmp_path, 'dist_train.sh', tmp_path / 'sending.py', 2, '--work-dir', work)
    assert (work / 'interrupted_iter_3.pth').exists()
    rank_runs.run(tmp_path, 'dist_train.sh', tmp_path / 'sending.py', 2, '--work-dir', work, '--resume')
    assert tiny.differing(tiny.saved_state(work / 'iter_6.pth'), tiny.saved_state(whole / 'iter_6.pth')) == []
