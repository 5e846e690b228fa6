"""The cost benchmark at toy size."""
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import tiny

from isda_seg.paper.cost.flops import implementation_extra, paper_extra
from isda_seg.paper.cost.report import one_sentence, report
from isda_seg.paper.cost.timing import quartiles, relative

pytestmark = pytest.mark.exhaustive

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def done(tmp_path_factory):
    """Return the printed output and the content of the result file."""
    folder = tmp_path_factory.mktemp('cost')
    command = [sys.executable, str(ROOT / 'tools' / 'benchmarks' / 'cost.py'), '--toy', '--rounds', '2', '--device',
               'cpu', '--literal-gib', '5e-6']
    run = subprocess.run(command, cwd=folder, env=dict(os.environ, PYTHONPATH=str(ROOT)), capture_output=True,
                         text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (folder / 'work_dirs').iterdir()
    return run.stdout, json.loads(path.read_text())


def test_result_file_has_every_part_and_its_provenance(done):
    _, result = done
    assert {'command', 'commit', 'seed', 'versions', 'hardware', 'date', 'bandwidth'} <= set(result)
    assert (result['toy'], result['device'], result['rounds']) == (True, 'cpu', 2)
    assert [(loss['name'], [row['resolution'] for row in loss['rows']]) for loss in result['loss']] == [
        ('Cityscapes crop', ['label', 'feature']), ('Cityscapes crop, full covariances', ['label', 'feature']),
        ('ADE20K crop', ['label', 'feature']), ('ImageNet classifier', ['label']), ('CIFAR-100 classifier', ['label'])]
    assert {len(measurement['samples']) for loss in result['loss'] for measurement in loss['measured'].values()} == {2}
    assert [growth['axis'] for growth in result['growth']] == ['N', 'C', 'A']
    assert [[point['size'] for point in growth['points']] for growth in result['growth']] == [
        [25, 50, 100, 200], [4, 8, 16, 32], [4, 8, 16, 32]]
    assert set(result['step']['measured']) == {'plain', 'isda'}
    assert [len(profile['pieces']) for profile in result['profile']] == [3, 5, 3, 3, 5]


def test_literal_form_runs_on_a_slice_if_the_tensors_are_too_large(done):
    _, result = done
    assert [round(1 / loss['literal_extra']['slice'], 2) for loss in result['loss']] == [9, 9, 8, 1, 1]
    assert ['plain on the slice' in loss['measured'] for loss in result['loss']] == [True, True, True, False, False]


def test_printed_report_equals_the_report_of_the_result_file(done):
    printed, result = done
    assert printed.endswith(f'{report(result)}\n\n{one_sentence(result)}\n'
                            f'wrote work_dirs/cost_{result["date"][:10]}.json\n')
    assert 'Toy sizes: these numbers do not represent the cost.' in printed
    assert 'pspnet_r18-small-d8` at 2 x 64 x 64 takes' in printed


def test_the_step_configs_exist():
    tool = runpy.run_path(str(ROOT / 'tools' / 'benchmarks' / 'cost.py'))
    configs = [tool[name][0] for name in ('CPU_STEP', 'GPU_STEP', 'TOY_STEP')]
    assert [path for path in configs if not path.is_file()] == []
    assert [path for path in configs if not path.with_name(path.name.replace('_isda', '')).is_file()] == []


def test_flops_are_counted_and_both_losses_timed(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    tiny.run_tool(monkeypatch, 'benchmarks/cost.py', '--flops', 'cifar10', '--networks', 'ResNet-32', '--time',
                  '--device', 'cpu', '--batch', '16', '--rounds', '2')
    header, _, line, wrote = capsys.readouterr().out.strip().splitlines()[-4:]
    assert header.count('|') == line.count('|')
    assert line.startswith('| ResNet-32 | cifar10 | 64 | 69.12 | 0.05 |')
    path = Path(wrote.removeprefix('wrote '))
    written = json.loads(path.read_text())
    assert str(path) == f'work_dirs/flops_{written["date"][:10]}.json'
    row, = written['networks']
    assert row['paper'] == paper_extra(10, 64, 16) and row['here'] == implementation_extra(10, 64, 16).total
    shares = relative(row['samples']['isda'], row['samples']['plain'])
    assert len(shares) == 2 and row['extra_time'] == quartiles(shares)


@pytest.mark.parametrize('option', [['--time'], ['--batch', '8'], ['--networks', 'ResNet-32']])
def test_flops_options_require_flops(option, monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['cost.py', *option])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / 'tools' / 'benchmarks' / 'cost.py'), run_name='__main__')
    assert end.value.code == 2
    assert capsys.readouterr().err.endswith('--networks, --batch and --time require --flops\n')
