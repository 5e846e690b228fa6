"""tools/reproduce.py carries a table out to its end, also after a kill and with a run that fails."""
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import time

import pytest
from helpers import tiny, tiny_images, tiny_tables

from isda_seg.paper.series import jobs, processes

pytestmark = tiny.on_cpu

STEMS = [f'{network}_r101-d8_{part}4xb2-40k-paper_cityscapes-769x769' for network in ('pspnet', 'deeplabv3')
         for part in ('', 'isda_')]
TINY = ['--seeds', '0', '--gpus-per-run']


@pytest.fixture
def tool(tmp_path, monkeypatch, capsys):
    """tool(*words) runs the tool in this process; gives its exit code and what it printed."""
    def run(*words):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(processes, 'visible_gpus', lambda: [])
        monkeypatch.setattr(sys, 'argv', ['reproduce.py', *words])
        tiny.leave_layout()
        with pytest.raises(SystemExit) as end:
            runpy.run_path(str(tiny_tables.REPRODUCE), run_name='__main__')
        return end.value.code, capsys.readouterr().out
    return run


def instead(found, problems):
    """In the place of run_jobs: write the results of the jobs without problems."""
    def run(chosen, slots, report, **options):
        found.update(names=[job.name for job in chosen], slots=list(slots), options=options)
        for number, job in enumerate(chosen):
            if job.name not in problems:
                job.folder.mkdir(parents=True, exist_ok=True)
                measured = {name: dict(mIoU=70.0 + number, IoU={}) for name in ('single', 'ms', 'ms-flip')}
                (job.folder / 'results.json').write_text(json.dumps(dict(
                    protocols=measured, config='x.py', training=[dict(commit='c1', seed=0)])))
        return problems
    return run


def test_finished_runs_give_the_table_and_one_file(tool, tmp_path, monkeypatch):
    found = {}
    monkeypatch.setattr(jobs, 'run_jobs', instead(found, {f'{STEMS[3]}/seed_0': 'train.py failed'}))
    code, printed = tool('table7', *TINY, '2', '--jobs', '3', '--out', 'found/x.json')
    assert (code, found['names']) == (1, [f'{stem}/seed_0' for stem in STEMS])
    assert (found['slots'], found['options']) == ([processes.Slot((), 2)] * 3, dict(retries=1, keep_going=True))
    assert f'{STEMS[3]}/seed_0 is not complete: train.py failed' in printed
    assert '| PSPNet + ISDA | mIoU, single | 78.72 | 79.08 | 71.00 | 1 | below | +1.26 | +1.00 |' in printed
    record = json.loads((tmp_path / 'found' / 'x.json').read_text())
    assert (list(record['runs']), record['missing']) == (STEMS[:3], [f'{STEMS[3]}/seed_0'])
    assert (record['kind'], record['table']) == ('reproduction', 'table7')
    assert record['gpus'] == {stem: 2 for stem in STEMS[:3]}
    code, printed = tool('table7', *TINY, '2', '--status')
    assert code == 0 and '4 runs, 3 done, 1 waiting, at' in printed
    code, printed = tool('table7', *TINY, '2', '--collect')
    assert code == 1 and '1 of 4 runs are missing' in printed
    assert printed.endswith('wrote work_dirs/reproduce/table7.json\n')


def test_only_selects_every_nth_run(tool, monkeypatch):
    found = {}
    monkeypatch.setattr(jobs, 'run_jobs', instead(found, {}))
    assert tool('table7', *TINY, '1', '--only', '2/3')[0] == 0
    assert found['names'] == [f'{STEMS[1]}/seed_0']
    assert tool('table7', *TINY, '1', '--only', '4/3')[0].endswith("with I from 1 to N, such as 2/8, got '4/3'")


def test_plan_is_printed_with_hours_of_the_given_step_time(tool, tmp_path):
    code, printed = tool('table7', '--seeds', '0', '1', '--dry-run', '--step-time', '0.45')
    assert code == 0 and 'Left: 160 GPU hours.' in printed  # 8 runs of 40,000 steps on 4 GPUs
    assert f'| {STEMS[0]} | 0 1 | 0/2 | 4 | 40,000 | 20.0 |' in printed
    assert 'Checkpoints of the incomplete runs: 20.5 GB.' in printed
    assert list(tmp_path.iterdir()) == []


def test_slurm_script_repeats_the_options(tool, tmp_path):
    code, printed = tool('table7', '--seeds', '0', '1', '--slurm', '--work-dir', 'w')
    text = (tmp_path / 'w' / 'table7.sh').read_text()
    assert code == 0 and printed.endswith('submit the runs with: bash w/table7.sh\n')
    assert f'{tiny_tables.REPRODUCE} table7 --seeds 0 1 --work-dir w --only "$SLURM_ARRAY_TASK_ID/8"' in text
    assert '--array=1-8 ' in text and '--gpus-per-node=4' in text and f'cd {tmp_path} ' in text


def test_without_a_gpu_the_number_of_ranks_is_needed(tool, tmp_path):
    code, _ = tool('table7')
    assert code.startswith('No GPU is visible.') and list(tmp_path.rglob('*.py')) == []


@pytest.mark.exhaustive
def test_table_7_is_rehearsed_with_a_kill_and_a_failing_run(tmp_path):
    """Two CPU ranks per run; the killed and the uninterrupted rehearsal log the same bits."""
    tiny.write_cityscapes(tmp_path / 'data' / 'cityscapes')
    words, options = ('table7', *TINY, '2', '--jobs', '1'), tiny_tables.CITYSCAPES

    def run(folder, *more):
        return tiny_tables.reproduce(*words, '--work-dir', folder, *more, data=tmp_path / 'data', cwd=tmp_path,
                                     options=options)

    checked = run('whole', '--check')
    assert checked.returncode == 0 and 'Everything is there.' in checked.stdout, checked.stdout + checked.stderr
    whole = run('whole')
    assert whole.returncode == 0, whole.stdout + whole.stderr
    work = tmp_path / 'killed'
    broken = work / STEMS[0] / 'seed_0' / 'iter_4.pth'
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b'no checkpoint')
    with subprocess.Popen(tiny_tables.command(*words, '--work-dir', 'killed', options=options), cwd=tmp_path,
                          env=tiny_tables.environment(tmp_path / 'data'), stdout=subprocess.PIPE, text=True) as process:
        wait_for(work / STEMS[1] / 'seed_0' / 'iter_4.pth', process)
        os.kill(process.pid, signal.SIGKILL)
        started = process.stdout.read()
    assert not (work / STEMS[1] / 'seed_0' / 'iter_40.pth').exists()
    status = run('killed', '--status')
    assert f'{STEMS[0]}/seed_0 failed and is tried once more' in started
    assert re.search('4 runs, 1 failed, 1 (running|interrupted), 2 waiting', status.stdout), status.stdout
    assert 'iter_4.pth is truncated, damaged or not a checkpoint' in status.stdout, status.stdout
    broken.unlink()
    resumed = run('killed')
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert tiny_tables.logs(work) == tiny_tables.logs(tmp_path / 'whole')
    assert len(tiny_tables.logs(work)) == 4
    ours, theirs = (json.loads((tmp_path / folder / 'table7.json').read_text()) for folder in ('killed', 'whole'))
    assert ours['comparisons'] == theirs['comparisons'] and ours['missing'] == []
    assert {arm: run['0']['protocols'] for arm, run in ours['runs'].items()} == {
        arm: run['0']['protocols'] for arm, run in theirs['runs'].items()}


@pytest.mark.exhaustive
@pytest.mark.parametrize(('table', 'rows'), [('table2', 36)])
def test_classifiers_are_rehearsed_on_tiny_archives(tmp_path, table, rows):
    tiny_images.write_cifar(tmp_path / 'data', 10)
    tiny_images.write_cifar(tmp_path / 'data', 100, per_batch=100)
    options = [*tiny_tables.CIFAR, 'train_cfg.max_epochs=1']
    first, collected = (tiny_tables.reproduce(table, *TINY, '1', *more, data=tmp_path / 'data', cwd=tmp_path,
                                              options=options) for more in (('--only', f'1/{rows}'), ('--collect',)))
    assert first.returncode == 0, first.stdout + first.stderr
    assert f'{rows - 1} of {rows} runs are missing' in collected.stdout


def wait_for(path, process):
    """Wait until a file of a run exists."""
    end = time.monotonic() + 900
    while not path.is_file():
        assert process.poll() is None and time.monotonic() < end, process.stdout.read()
        time.sleep(0.1)
