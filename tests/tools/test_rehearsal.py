"""Every table of the paper is reproduced on tiny data, by the same processes as on GPUs."""
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time
from typing import NamedTuple

import pytest
from helpers import rehearsal, tiny, tiny_tables

from isda_seg.paper.reproduce import trial
from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.paper.series import processes
from isda_seg.paper.series.arm import parse_arm

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]


class Rehearsal(NamedTuple):
    """Part of a table: with each network or method, augmentation and covariance at least once."""
    rows: tuple[int, ...]
    data: tuple[str, ...]
    ranks: int = 1
    trial: tuple[int, ...] = ()  # rows that --check trains for ten steps; empty: it checks only data and weights


CIFAR, DETECTION = ('cifar10', 'cifar100'), ('imagenet', 'coco')
TABLES = {
    'table1': Rehearsal((0, 1, 7, 11), ('imagenet',), 2),           # ResNet, DenseNet, ResNeXt
    'table2': Rehearsal((0, 1, 7, 13, 23, 29, 33), CIFAR, trial=(1,)),  # and WRN, SE-ResNet, Shake-Shake
    'table4': Rehearsal((5, 9, 18, 19), CIFAR),                     # AutoAugment, RandAugment, cutout
    'table6': Rehearsal((0, 1, 17, 31, 36, 37), (*CIFAR, 'svhn'), trial=(0,)),  # Pi, TE, MT, VAT
    'table7-mmseg': Rehearsal((1, 2), ('cityscapes',), 2),          # PSPNet, DeepLab-v3
    'table8': Rehearsal((12, 13, 14, 15, 16, 17), ('cifar100',)),   # all covariances
    'figure11': Rehearsal((0, 3, 8, 9, 10), CIFAR),                 # two strengths of each network
    'table11': Rehearsal((0, 4, 8), DETECTION, 2),                  # all detectors, all backbones
    'table12': Rehearsal((1, 2), DETECTION, 2)}  # the first is a run of Table 11


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder of all tables, which share runs in it."""
    return tmp_path_factory.mktemp('tables')


@pytest.fixture
def tool(folder, monkeypatch, capsys):
    """tool(table, rows, *words) runs the tool in this process on some rows; gives its exit code and what it printed."""
    def run(table, rows, *words):
        with monkeypatch.context() as patch:
            patch.chdir(folder)
            for name, value in tiny_tables.environment(folder / 'data').items():
                patch.setenv(name, value)
            patch.setattr(processes, 'visible_gpus', lambda: [])
            patch.setattr(sys, 'argv', ['reproduce.py', table, *words])
            rehearsal.patch(rows, table, patch.setattr)
            tiny.leave_layout()
            with pytest.raises(SystemExit) as end:
                runpy.run_path(str(tiny_tables.REPRODUCE), run_name='__main__')
        return end.value.code, capsys.readouterr().out
    return run


@pytest.mark.parametrize('table', [pytest.param(name, marks=[pytest.mark.mmdet] if 'coco' in part.data else [])
                                   for name, part in TABLES.items()])
def test_table_is_rehearsed_from_the_check_to_the_result_file(table, folder, tool, monkeypatch):
    part = TABLES[table]
    rehearsal.write_data(folder / 'data', *(name for name in part.data if not (folder / 'data' / name).exists()))
    words = ('--seeds', '0', '--gpus-per-run', str(part.ranks), '--jobs', '1' if part.ranks > 1 else '2')
    if not part.trial:
        monkeypatch.setattr(trial, 'trial_jobs', lambda plan, tools: [])
    code, printed = tool(table, part.trial or part.rows, '--check', *words)
    assert (code, 'Nothing is missing.' in printed) == (0, True), printed
    code, printed = tool(table, part.rows, *words)
    assert code == 0, printed
    rows = [catalogue()[table].rows[number] for number in part.rows]
    assert len(re.findall(r'^\|.* \| \d+\.\d\d \| 1 \| ', printed, re.MULTILINE)) == len(rows) * len(
        catalogue()[table].measures), printed
    record = json.loads((folder / 'work_dirs' / 'reproduce' / f'{table}.json').read_text())
    assert record['missing'] == [] and len(record['runs']) >= len(rows)
    arms = [row.arm for row in rows]
    assert len(record['comparisons']) == sum(row.baseline in arms for row in rows)


class Outside:
    """Runs of the tool on some rows of a table in separate processes, which can be killed."""

    def __init__(self, folder, table, rows, *words):
        self.folder, self.table, self.words = folder, table, words
        self.rows = ','.join(map(str, rows))

    def start(self, work, *more, **environment):
        return subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-m', 'helpers.rehearsal', self.rows, self.table, '--seeds', '0',
             *self.words, '--work-dir', work, *more], cwd=self.folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=tiny_tables.environment(self.folder / 'data', **environment))

    def run(self, *words, **environment):
        """The exit code and what was printed."""
        with self.start(*words, **environment) as process:
            printed, _ = process.communicate(timeout=1800)
        return process.returncode, printed

    def kill_after(self, work, path):
        """Kill the tool when a file exists; gives what it had printed."""
        with self.start(work) as process:
            end = time.monotonic() + 900
            while not (self.folder / work / path).is_file():
                assert process.poll() is None and time.monotonic() < end, process.stdout.read()
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGKILL)
            return process.stdout.read()

    def assert_same(self, work, other):
        """Both work directories have the same log of every step and the same results, bit by bit."""
        logs, others = ([tiny.logged(path) for path in sorted((self.folder / name).glob('*/seed_*')) if path.is_dir()]
                        for name in (work, other))
        assert logs == others and len(logs) == len(self.rows.split(',')) and all(logs)
        ours, theirs = (json.loads((self.folder / name / f'{self.table}.json').read_text()) for name in (work, other))
        assert ours['missing'] == [] and ours['comparisons'] == theirs['comparisons']
        assert [run['0']['protocols'] for run in ours['runs'].values()] == [
            run['0']['protocols'] for run in theirs['runs'].values()]


def test_table_7_is_rehearsed_with_a_kill_and_a_failing_run(tmp_path):
    """Two CPU ranks per run; the killed and the uninterrupted rehearsal log the same bits."""
    rehearsal.write_data(tmp_path / 'data', 'cityscapes')
    table = Outside(tmp_path, 'table7', (0, 3), '--gpus-per-run', '2', '--jobs', '1')
    first, second = (parse_arm(catalogue()['table7'].rows[number].arm).folder for number in (0, 3))
    code, printed = table.run('whole', '--check')
    assert code == 0 and 'Nothing is missing.' in printed, printed
    code, printed = table.run('whole')
    assert code == 0, printed
    broken = tmp_path / 'killed' / first / 'seed_0' / 'iter_4.pth'
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b'no checkpoint')
    started = table.kill_after('killed', f'{second}/seed_0/iter_4.pth')
    assert f'{first}/seed_0 failed and is tried once more' in started
    code, printed = table.run('killed', '--status')
    assert re.search('2 runs, 1 failed, 1 (running|interrupted)', printed), printed
    assert 'iter_4.pth is truncated, damaged or not a checkpoint' in printed
    broken.unlink()
    code, printed = table.run('killed')
    assert code == 0, printed
    table.assert_same('killed', 'whole')


@pytest.mark.skipif(sys.platform == 'win32', reason='limits the size of files by setrlimit')
def test_table_2_goes_on_after_a_kill_a_full_disk_and_a_missing_file(tmp_path):
    """A kill in the first run, no space for the checkpoints of the second, a file of the third's data missing."""
    rehearsal.write_data(tmp_path / 'data', *CIFAR)
    table = Outside(tmp_path, 'table2', (0, 1, 18), '--gpus-per-run', '1', '--jobs', '1')
    names = [f'{parse_arm(catalogue()["table2"].rows[number].arm).folder}/seed_0' for number in (0, 1, 18)]
    code, printed = table.run('whole')
    assert code == 0, printed
    table.kill_after('killed', f'{names[0]}/epoch_1.pth')
    sizes = [(tmp_path / 'whole' / name / 'epoch_4.pth').stat().st_size for name in names[:2]]
    cifar100 = tmp_path / 'data' / 'cifar100'
    batch = cifar100 / 'cifar-100-python' / 'train'
    hidden = [path.rename(path.with_name(f'{path.name}.away'))
              for path in (batch, cifar100 / 'cifar-100-python.tar.gz')]
    code, printed = table.run('killed', LARGEST_FILE=str(sum(sizes) // 2))
    assert code == 1 and '2 of 3 runs are missing' in printed, printed
    problems = re.findall(r'^(\S+) is not complete: train\.py failed with code 1', printed, re.MULTILINE)
    assert problems == names[1:] and printed.count('failed and is tried once more') == 2
    assert f'cannot write the checkpoint {tmp_path}/killed/{names[1]}/epoch_1.pth' in printed, printed
    assert 'cifar-100-python' in printed
    for path in hidden:
        path.rename(path.with_name(path.name.removesuffix('.away')))
    code, printed = table.run('killed')
    assert code == 0 and '3 runs, 1 of them complete' in printed, printed
    table.assert_same('killed', 'whole')
