"""Jobs run in order on their devices; failures are retried, reported, and do not stop the others."""
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from isda_seg.paper.series import jobs, processes
from isda_seg.paper.series.jobs import Job, end_of, lock_file, read_state, run_jobs
from isda_seg.paper.series.processes import Slot, locked, make_slots

ROOT = Path(__file__).resolve().parents[3]
TOOL = '''import json, os, pathlib, sys
folder, failures = pathlib.Path(sys.argv[1]), int(sys.argv[2])
with (folder / 'attempts').open('a') as file:
    file.write(os.environ.get('CUDA_VISIBLE_DEVICES', '-') + ' ' + os.environ['OMP_NUM_THREADS'] + chr(10))
print('attempt', len((folder / 'attempts').read_text().splitlines()))
if len((folder / 'attempts').read_text().splitlines()) <= failures:
    sys.exit('no such luck')
(folder / 'done').touch()
'''


@pytest.fixture
def job(tmp_path):
    """job(name, failures, *after): a job whose tool fails that many times before it succeeds."""
    (tmp_path / 'tool.py').write_text(TOOL)

    def make(name, failures=0, *after):
        folder = tmp_path / 'work' / name

        def execute(call):
            call([str(tmp_path / 'tool.py'), str(folder), str(failures)])
            return ''
        return Job(name, folder, execute, lambda: (folder / 'done').is_file(), after)
    return make


def attempts(job):
    path = job.folder / 'attempts'
    return path.read_text().splitlines() if path.is_file() else []


def test_failed_job_is_retried_once_and_reported_while_the_rest_goes_on(job):
    lines, found = [], [job('a', 1), job('b', 9), job('c')]
    problems = run_jobs(found, [Slot()], lines.append, retries=1, keep_going=True)
    assert [len(attempts(each)) for each in found] == [2, 2, 1]
    assert problems == {'b': f'tool.py failed with code 1 in {found[1].folder}; the end of its log.txt:\nattempt 1\n'
                             'no such luck\nattempt 2\nno such luck'}
    assert [line.split(':')[0] for line in lines] == [
        '3 runs, 0 of them complete', 'a failed and is tried once more', '1/3 a', 'b failed and is tried once more',
        '2/3 c']
    assert [read_state(each.folder)['state'] for each in found] == ['done', 'failed', 'done']
    assert read_state(found[1].folder)['error'] == problems['b']
    assert run_jobs(found, [Slot()], lines.append, keep_going=True).keys() == {'b'}
    assert [len(attempts(each)) for each in found] == [2, 3, 1]


def test_job_waits_for_the_jobs_that_it_needs(job):
    first = job('first', 1)
    second, other = job('second', 0, first), job('other')
    lines = []
    assert run_jobs([first, second, other], [Slot(), Slot()], lines.append, retries=1, keep_going=True) == {}
    assert [line.split()[1][:-1] for line in lines[1:] if line[0].isdigit()][-1] == 'second'


def test_end_of_a_log_leaves_out_the_report_of_torchrun(tmp_path):
    log = tmp_path / 'log.txt'
    assert end_of(log) == ''
    log.write_text('\n'.join([*map(str, range(20)), 'no such file']))
    assert end_of(log).splitlines() == [*map(str, range(13, 20)), 'no such file']
    where = 'torch/distributed/elastic/multiprocessing/api.py:1002]'
    log.write_text('\n'.join([*map(str, range(20)), 'no such file', f'W1130 {where} Sending process 7 closing signal',
                              f'E1130 {where} failed (exitcode: 1) local_rank: 0', 'Traceback (most recent call last):',
                              'torch.distributed.elastic.multiprocessing.errors.ChildFailedError: ', '=' * 60,
                              '  exitcode  : 1 (pid: 27900)']))
    assert end_of(log).splitlines() == [*map(str, range(13, 20)), 'no such file']


def test_jobs_that_need_a_failed_or_absent_job_are_not_started(job):
    first = job('first', 9)
    second = job('second', 0, first)
    found = [first, second, job('third', 0, second), job('fourth', 0, job('elsewhere'))]
    problems = run_jobs(found, [Slot()], [].append, keep_going=True)
    assert set(problems) == {'first', 'second', 'third', 'fourth'}
    assert {name: problems[name] for name in ('second', 'third', 'fourth')} == {
        'second': 'needs first, which is not complete', 'third': 'needs second, which is not complete',
        'fourth': 'needs elsewhere, which is not complete'}
    assert [len(attempts(each)) for each in found] == [1, 0, 0, 0]


def test_each_concurrent_job_sees_its_own_gpus(job, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(os, 'cpu_count', lambda: 8)
    found = [job(name) for name in 'abcd']
    assert run_jobs(found, make_slots(gpus=['3', '5']), [].append) == {}
    seen = [attempts(each) for each in found]
    assert {line for lines in seen for line in lines} == {'3 4', '5 4'}


def test_job_of_another_process_is_left_to_it(job, monkeypatch):
    monkeypatch.setattr(jobs, 'PATIENCE', 0)
    found = [job('a'), job('b')]
    with locked(lock_file(found[0].folder), 'held'):
        problems = run_jobs(found, [Slot()], [].append, retries=1, keep_going=True)
    assert problems == {'a': 'a is being carried out by another process'}
    assert [len(attempts(each)) for each in found] == [0, 1]


@pytest.mark.parametrize(('jobs', 'gpus', 'per_run', 'expected'), [
    (None, [], 1, [()]), (3, [], 2, [(), (), ()]), (None, ['0', '1', '2'], 1, [('0',), ('1',), ('2',)]),
    (None, ['0', '1', '2', '3', '4'], 2, [('0', '1'), ('2', '3')]), (3, ['0', '1'], 1, [('0',), ('1',), ('0',)])])
def test_gpus_are_spread_over_the_jobs(jobs, gpus, per_run, expected):
    assert make_slots(jobs, gpus, per_run) == [Slot(each, per_run) for each in expected]


def test_fewer_gpus_than_a_run_needs_are_an_error():
    with pytest.raises(ValueError, match=r'--gpus-per-run is 4, but there are 2 GPUs \(0, 1\)'):
        make_slots(None, ['0', '1'], 4)
    with pytest.raises(ValueError, match='--gpus-per-run must be at least 1, got 0'):
        make_slots(None, [], 0)


def test_visible_gpus_follow_the_environment(monkeypatch):
    monkeypatch.setattr(processes.torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(processes.torch.cuda, 'device_count', lambda: 2)
    monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
    assert processes.visible_gpus() == ['0', '1']
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '2,GPU-7f')
    assert processes.visible_gpus() == ['2', 'GPU-7f']


def test_several_ranks_are_started_with_torchrun():
    assert Slot((), 1).command(['train.py', 'x'], True) == [sys.executable, 'train.py', 'x']
    assert Slot((), 2).command(['train.py', 'x'], False) == [sys.executable, 'train.py', 'x']
    assert Slot((), 2).command(['train.py', 'x'], True) == [
        sys.executable, '-m', 'torch.distributed.run', '--standalone', '--local_addr', '127.0.0.1', '--nproc_per_node',
        '2', 'train.py', 'x', '--launcher', 'pytorch']


@pytest.mark.skipif(os.name != 'posix', reason='a lock is inherited on POSIX systems')
def test_lock_of_a_killed_runner_is_held_until_its_processes_end(job, tmp_path):
    (tmp_path / 'slow.py').write_text('import pathlib, sys, time\npathlib.Path(sys.argv[1]).touch()\n'
                                      'while not pathlib.Path(sys.argv[1] + "_end").exists():\n    time.sleep(0.02)\n')
    runner = ('import os, sys, pathlib, time\nfrom isda_seg.paper.series.jobs import Job, run_jobs\n'
              'from isda_seg.paper.series.processes import Slot\nfrom isda_seg.paper.series import processes\n'
              'processes.END_WITH_PARENT = None\n'
              'folder = pathlib.Path(sys.argv[1])\n'
              'execute = lambda call: call([sys.argv[2], sys.argv[3]]) or ""\n'
              'run_jobs([Job("a", folder, execute, lambda: False)], [Slot()], print)')
    first, sign = job('a'), str(tmp_path / 'sign')
    with subprocess.Popen([sys.executable, '-c', runner, str(first.folder), str(tmp_path / 'slow.py'), sign],
                          env=dict(os.environ, PYTHONPATH=str(ROOT)), stdout=subprocess.DEVNULL) as process:
        wait_for(sign)
        process.kill()
    with pytest.raises(BlockingIOError), locked(lock_file(first.folder), 'held'):
        pass
    (tmp_path / 'sign_end').touch()
    assert run_jobs([first], [Slot()], [].append) == {}  # waits until the slow process has ended
    assert read_state(first.folder)['state'] == 'done'


def test_file_system_without_locks_is_a_warning(job, monkeypatch):
    def without(*_, **__):
        raise NotImplementedError('FileSystem does not appear to support flock')

    monkeypatch.setattr(processes.FileLock, 'acquire', without)
    with pytest.warns(UserWarning, match='work does not support locks, .* Give each process different runs'):
        assert run_jobs([job('a')], [Slot()], [].append) == {}


def wait_for(path):
    end = time.monotonic() + 60
    while not os.path.exists(path):
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.exhaustive
def test_concurrent_launches_on_one_machine_use_different_ports(tmp_path):
    tool = tmp_path / 'tool.py'
    tool.write_text('import os, sys, torch\nimport torch.distributed as dist\ndist.init_process_group("gloo")\n'
                    'total = torch.ones(1)\ndist.all_reduce(total)\nassert sys.argv[-2:] == ["--launcher", "pytorch"]\n'
                    'open(sys.argv[1] + os.environ["RANK"], "w").write(f"{int(total)} {os.environ[\'MASTER_PORT\']}")\n'
                    'dist.barrier()\ndist.destroy_process_group()\n')

    def job(name):
        return Job(name, tmp_path / name, lambda call: call([str(tool), str(tmp_path / name / 'rank')]) or '',
                   lambda: (tmp_path / name / 'rank1').is_file())

    assert run_jobs([job('a'), job('b')], make_slots(2, [], 2), [].append) == {}
    found = [(tmp_path / name / f'rank{rank}').read_text().split() for name in 'ab' for rank in (0, 1)]
    assert [total for total, _ in found] == ['2'] * 4
    assert len({port for _, port in found}) == 2


def test_full_disk_fails_a_job_but_neither_its_retry_nor_the_other_jobs(job, monkeypatch):
    """The disk is full while the first job runs, also for its state file."""
    full, (first, second), lines = [True], (job('a'), job('b')), []
    write = jobs.write_json

    def write_json(path, content):
        if full and path.name == '.a.json':
            raise OSError(f'cannot write {path} (No space left on device)')
        write(path, content)

    def execute(call):
        lines.append('attempt')
        if full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return first.execute(call)

    monkeypatch.setattr(jobs, 'write_json', write_json)
    found = [first._replace(execute=execute), second]
    problems = run_jobs(found, [Slot()], lines.append, retries=1, keep_going=True)
    assert problems == {'a': '[Errno 28] No space left on device'}
    assert lines.count('attempt') == 2 and second.done()
    assert f'a: its state for --status is not written: cannot write {first.folder.parent}/.a.json (No space' in ''.join(
        lines)
    full.clear()
    assert run_jobs(found, [Slot()], lines.append, retries=1, keep_going=True) == {}
    assert (lines.count('attempt'), first.done(), read_state(first.folder)['state']) == (3, True, 'done')


def test_failure_on_a_full_disk_says_so(job, monkeypatch):
    """A full disk can also cut off the log, which then lacks the reason."""
    monkeypatch.setattr(jobs.shutil, 'disk_usage', lambda folder: SimpleNamespace(free=1000))
    failing = job('a', 9)
    problem = run_jobs([failing], [Slot()], [].append, keep_going=True)['a']
    assert problem.partition(';')[0] == f'tool.py failed with code 1 on a full disk in {failing.folder}'


def test_state_of_an_interrupted_job_stays_running(job, monkeypatch):
    started = job('a')

    def stopped(call):
        raise RuntimeError('the series was stopped')
    with pytest.raises(RuntimeError):
        run_jobs([started._replace(execute=stopped)], [Slot((), 2)], [].append, keep_going=True)
    state = json.loads((started.folder.parent / '.a.json').read_text())
    assert (state['state'], state['attempt'], state['ranks'], state['process']) == ('running', 1, 2, os.getpid())
