"""Each run of a series is trained and tested once, also after interruptions and failures."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers.exhaustive import exhaustive
from mmengine.config import Config

from isda_seg.paper.series.jobs import Progress as Estimate
from isda_seg.paper.series.processes import LOCK
from isda_seg.paper.series.training_runs import Run, run_series

ROOT = Path(__file__).resolve().parents[3]

# In the place of tools/train.py and tools/test.py: what they do to files, at once.
TRAIN = '''import os, pathlib, runpy, sys, time
cfg, folder = runpy.run_path(sys.argv[1]), pathlib.Path(sys.argv[3])
assert sys.argv[2::2] == ['--work-dir', '--resume']
print('training with', os.environ['OMP_NUM_THREADS'], 'threads')
(folder / 'pid').write_text(str(os.getpid()))
if cfg.get('waits_for'):
    end = time.monotonic() + 60
    while not (folder.parent / cfg['waits_for']).exists() and time.monotonic() < end:
        time.sleep(0.02)
if cfg.get('diverges'):
    (folder / 'diverged.json').write_text('{"iteration": 7}')
    sys.exit('the run diverged')
if cfg.get('fails'):
    print(*range(100), sep=chr(10))
    sys.exit('no such luck')
if not cfg.get('saves_nothing'):
    (folder / 'iter_1.pth').write_text('weights')
'''
TEST = '''import json, pathlib, runpy, sys
config, checkpoint, *rest = sys.argv[1:]
taus = rest[rest.index('--logit-adjustment') + 1:rest.index('--out')] if '--logit-adjustment' in rest else []
protocols = rest[rest.index('--protocols') + 1:rest.index('--logit-adjustment' if taus else '--out')]
assert pathlib.Path(checkpoint).read_text() == 'weights'
number = runpy.run_path(config)['number']
adjusted = dict(logit_adjustment={tau: dict(mIoU=number + float(tau)) for tau in taus}) if taus else {}
found = {name: dict(mIoU=number, **adjusted) for name in protocols}
pathlib.Path(rest[-1]).write_text(json.dumps(dict(protocols=found)))
'''
DRIVER = '''import signal, sys
from mmengine.config import Config
from isda_seg.paper.series.training_runs import Run, run_series
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever started us may ignore it
runs = [Run(name, Config(dict(number=1, waits_for='never'))) for name in 'abc']
run_series(runs, sys.argv[1], sys.argv[2], ['single'], jobs=2)
'''


@pytest.fixture
def tools(tmp_path):
    folder = tmp_path / 'tools'
    folder.mkdir()
    (folder / 'train.py').write_text(TRAIN)
    (folder / 'test.py').write_text(TEST)
    return folder


class Progress(list):
    """Progress lines; the line of a failed run also creates the file `failed` in its folder."""

    def __init__(self, folder):
        self.folder = folder

    def append(self, line):
        super().append(line)
        if ' (its log: ' in line:
            (self.folder / 'a' / 'sign').touch()
        if ' failed; ' in line:
            (self.folder / line.split(' ')[0] / 'failed').touch()


@pytest.fixture
def series(tmp_path, tools):
    """series(a=dict(...), b=dict(...)) runs `a` and `b` with these keys; returns the results and the progress lines."""
    def run(protocols=('single',), jobs=1, taus=(), **cfgs):
        lines = Progress(tmp_path / 'work')
        runs = [Run(name, Config(dict(dict(number=0), **keys))) for name, keys in cfgs.items()]
        return run_series(runs, tmp_path / 'work', tools, protocols, jobs, lines.append, taus), lines

    run.folder = tmp_path / 'work'
    return run


def states(folder):
    """path -> time of the last change and content, of all files but the lock."""
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
            for path in sorted(folder.rglob('*')) if path.is_file() and path.name != LOCK}


def single(miou):
    return dict(protocols=dict(single=dict(mIoU=miou)))


def test_each_run_is_trained_and_tested_with_its_config(series):
    results, lines = series(a=dict(number=3), b=dict(number=5))
    assert results == dict(a=single(3), b=single(5))
    assert lines[0] == '2 runs, 0 of them complete'
    assert [line.split(':')[0] for line in lines[1:]] == ['1/2 a', '2/2 b']
    files = sorted(name for name in states(series.folder) if not name.startswith('.'))  # without the lock
    assert files == ['a.py', *(f'a/{name}' for name in ('iter_1.pth', 'log.txt', 'pid', 'results.json')),
                     'b.py', *(f'b/{name}' for name in ('iter_1.pth', 'log.txt', 'pid', 'results.json'))]
    assert Config.fromfile(series.folder / 'b.py').number == 5


def test_diverged_run_is_a_result_and_the_series_continues(series):
    results, lines = series(a=dict(diverges=True), b=dict(number=5))
    assert (results['a']['protocols'], results['a']['diverged'], results['b']) == ({}, dict(iteration=7), single(5))
    assert results['a']['config'] == os.path.relpath(series.folder / 'a.py')
    assert [line.split(':')[0] for line in lines[1:]] == ['a diverged', '1/2 a', '2/2 b']
    assert series(a=dict(diverges=True), b=dict(number=5))[1] == ['2 runs, 2 of them complete']


def test_last_log_line_is_reported_before_the_first_run_ends(series, monkeypatch):
    monkeypatch.setattr('isda_seg.paper.series.jobs.PROGRESS_INTERVAL', 0.05)
    _, lines = series(jobs=2, a=dict(waits_for='a/sign'), b=dict(number=1, waits_for='a/sign'))
    log = series.folder / 'a' / 'log.txt'
    assert re.fullmatch(rf'a: (starting|training with \d+ threads) .its log: {log}.', lines[1]) is not None
    assert {line.split(' ')[0] for line in lines if line[0].isdigit()} == {'2', '1/2', '2/2'}


def test_zero_jobs_is_rejected(series):
    with pytest.raises(ValueError, match='--jobs must be at least 1, got 0'):
        series(jobs=0, a={})
    assert not series.folder.exists()


def test_complete_runs_are_not_repeated(series):
    series(a=dict(number=3), b=dict(number=5))
    before = states(series.folder / 'a')
    results, lines = series(a=dict(number=3), b=dict(number=5), c=dict(number=7))
    assert lines[0] == '3 runs, 2 of them complete'
    assert [line.split(':')[0] for line in lines[1:]] == ['1/1 c']
    assert states(series.folder / 'a') == before
    assert results == dict(a=single(3), b=single(5), c=single(7))


def test_missing_protocol_is_tested_without_training_again(series):
    series(a=dict(number=3))
    checkpoint = states(series.folder)['a/iter_1.pth']
    results, lines = series(('ms', 'single'), a=dict(number=3))
    assert lines[0] == '1 runs, 0 of them complete'
    assert list(results['a']['protocols']) == ['ms', 'single']
    assert states(series.folder)['a/iter_1.pth'][1] == checkpoint[1]
    results, lines = series(('single',), a=dict(number=3))
    assert lines == ['1 runs, 1 of them complete']
    assert results == dict(a=single(3))


def test_run_with_other_settings_is_rejected_and_unchanged(series):
    series(a=dict(number=3))
    before = states(series.folder)
    with pytest.raises(ValueError, match=r'work/a holds a run with other settings \(see a.py\). Choose another '
                                         '--work-dir or delete both'):
        series(a=dict(number=4))
    assert states(series.folder) == before


def test_duplicate_run_names_are_rejected(tmp_path, tools):
    runs = [Run('a', Config(dict(number=1))), Run('a', Config(dict(number=1)))]
    with pytest.raises(ValueError, match=r"Runs of a series need unique names, got \['a', 'a'\]"):
        run_series(runs, tmp_path / 'work', tools, ['single'])
    assert (tmp_path / 'work').exists() is False


def test_failed_run_raises_with_its_log_and_keeps_finished_runs(series):
    with pytest.raises(ChildProcessError) as error:
        series(a=dict(number=3), b=dict(fails=True), c=dict(number=7))
    end = '\n'.join([*map(str, range(93, 100)), 'no such luck'])
    assert str(error.value) == (f'train.py failed with code 1 in {series.folder / "b"}; the end of its log.txt:\n{end}')
    assert json.loads((series.folder / 'a' / 'results.json').read_text()) == single(3)
    assert (series.folder / 'b' / 'results.json').exists() is False
    (series.folder / 'b.py').unlink()
    results, lines = series(a=dict(number=3), b=dict(number=5), c=dict(number=7))
    assert [line.split(':')[0] for line in lines[1:]] == ['1/2 b', '2/2 c']
    assert results == dict(a=single(3), b=single(5), c=single(7))


def test_failure_lets_running_runs_finish_and_starts_no_further_run(series):
    with pytest.raises(ChildProcessError, match='train.py failed with code 1 in .*work/b'):
        series(jobs=2, a=dict(number=3, waits_for='b/failed'), b=dict(fails=True, waits_for='a/pid'),
               c=dict(waits_for='never'), d=dict(waits_for='never'))
    assert (series.folder / 'a' / 'results.json').is_file() is True
    assert [(series.folder / name / 'log.txt').exists() for name in 'cd'] == [False, False]


def test_training_without_a_checkpoint_is_an_error(series):
    with pytest.raises(ChildProcessError, match='work/a: the training wrote no checkpoint'):
        series(a=dict(saves_nothing=True))


def test_jobs_run_concurrently_and_share_the_cores(series, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr(os, 'cpu_count', lambda: 9)
    results, _ = series(jobs=2, a=dict(number=3, waits_for='b/pid'), b=dict(number=5, waits_for='a/pid'))
    assert results == dict(a=single(3), b=single(5))
    assert (series.folder / 'a' / 'log.txt').read_text() == 'training with 4 threads\n'
    monkeypatch.setenv('OMP_NUM_THREADS', '3')
    series(jobs=2, c=dict())
    assert (series.folder / 'c' / 'log.txt').read_text() == 'training with 3 threads\n'


def test_remaining_time_is_estimated_from_the_mean_duration():
    lines = []
    progress = Estimate(5, 2, lines.append)
    for name, seconds in (('a', 120.), ('b', 240.), ('c', 240.), ('d', 0.), ('e', 90.)):
        progress.finished(name, seconds)
    assert lines == ['1/5 a: 2.0 min; about 4 min left',   # four more of 2 min, two at a time
                    '2/5 b: 4.0 min; about 4 min left',   # three more of 3 min; 4.5 rounds to even
                    '3/5 c: 4.0 min; about 3 min left',   # two more of 10/3 min
                    '4/5 d: 0.0 min; about 1 min left',   # one more of 2.5 min
                    '5/5 e: 1.5 min; about 0 min left']


@exhaustive('number, code', [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_stopping_the_series_stops_its_runs(tmp_path, tools, number, code):
    work = tmp_path / 'work'
    with subprocess.Popen([sys.executable, '-c', DRIVER, str(work), str(tools)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=str(ROOT)), text=True) as driver:
        assert driver.stdout.readline() == '3 runs, 0 of them complete\n'
        pids = [int(wait_for(work / name / 'pid')) for name in 'ab']
        os.kill(driver.pid, number)
        assert driver.wait(60) == code, driver.stderr.read()
    assert [running(pid) for pid in pids] == [False, False]
    assert sorted(path.name for path in work.rglob('pid')) == ['pid', 'pid']  # the third one never began


@pytest.mark.skipif(sys.platform != 'linux', reason='other systems do not tell a process that its parent has ended')
def test_killed_series_leaves_no_process_and_resumes(tmp_path, tools, series):
    work = tmp_path / 'work'
    command = [sys.executable, '-c', DRIVER, str(work), str(tools)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=str(ROOT)),
                          text=True) as driver:
        driver.stdout.readline()
        pids = [int(wait_for(work / name / 'pid')) for name in 'ab']
        driver.kill()
    end = time.monotonic() + 60
    while any(map(running, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    assert [running(pid) for pid in pids] == [False, False]
    (work / 'never').touch()  # what the runs wait for
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ, PYTHONPATH=str(ROOT)),
                          text=True) as driver:
        lines = driver.stdout.read().splitlines()
    assert [line.split(':')[0].split(' ')[0] for line in lines] == ['3', '1/3', '2/3', '3/3']


def test_second_series_in_the_same_folder_is_rejected(tmp_path, tools, series):
    work = tmp_path / 'work'
    with subprocess.Popen([sys.executable, '-c', DRIVER, str(work), str(tools)], stdout=subprocess.PIPE,
                          env=dict(os.environ, PYTHONPATH=str(ROOT)), text=True) as driver:
        wait_for(work / 'a' / 'pid')
        with pytest.raises(BlockingIOError, match=f'Another series is running in {work}. .* another --work-dir'):
            series(d=dict(number=1))
        (work / 'never').touch()
        assert driver.wait(60) == 0
    assert series(d=dict(number=1))[0] == dict(d=single(1))


def wait_for(path):
    """The text of a file that another process is about to write."""
    end = time.monotonic() + 60
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return path.read_text()


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_only_a_new_tau_is_tested_again(series):
    first = series(a=dict(number=3), taus=(0.0, 0.5))[0]
    assert first == dict(a=dict(protocols=dict(single=dict(mIoU=3, logit_adjustment={'0.5': dict(mIoU=3.5)}))))
    before = states(series.folder / 'a')
    assert series(a=dict(number=3), taus=(0.5,))[0] == first
    assert states(series.folder / 'a') == before
    again = series(a=dict(number=3), taus=(0.5, 1.0))[0]['a']['protocols']['single']['logit_adjustment']
    assert again == {'0.5': dict(mIoU=3.5), '1': dict(mIoU=4.0)}
