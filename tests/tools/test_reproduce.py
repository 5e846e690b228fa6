"""tools/reproduce.py: its actions and their output, with result files instead of runs."""
import json
import runpy
import sys

import pytest
from helpers import tiny, tiny_tables

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
