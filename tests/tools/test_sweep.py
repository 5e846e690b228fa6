"""Properties of a sweep, by real runs at toy size: it trains and evaluates on the same training images in all runs."""
import json
import runpy
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from helpers import spy, tiny, tiny_images

from isda_seg.paper.series import training_runs
from isda_seg.paper.series.sweep import sweep_table

pytestmark = pytest.mark.exhaustive

NAMES = ['seed_100/lambda_0=0', 'seed_100/resolution=feature_lambda_0=5']
TOOL = tiny.ROOT / 'tools' / 'benchmarks' / 'sweep.py'


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
    """A sweep over two values on eight training images, where the validation set that is reported is missing."""
    folder = tmp_path_factory.mktemp('sweep')
    _, isda = spy.write_configs(folder, train=8)
    for name in ('val', 'valannot'):
        shutil.rmtree(folder / 'camvid' / name)
    printed = spy.benchmark('sweep.py', isda, '--lambda-0', 5, 0, '--set', 'resolution=feature', cwd=folder)
    work = folder / 'work_dirs' / 'sweep' / 'tiny_isda_1xb2'
    return SimpleNamespace(work=work, printed=printed, sweep=json.loads((work / 'sweep.json').read_text()))


def test_each_value_is_one_run_and_the_baseline_has_no_curve_name(swept):
    assert list(swept.sweep['runs']) == NAMES
    folders = (path for path in swept.work.glob('*/*') if path.is_dir())
    assert sorted(str(path.relative_to(swept.work)) for path in folders) == sorted(NAMES)
    assert '2 runs, 0 of them complete\n' in swept.printed


def test_training_held_out_and_reported_images_are_disjoint(swept):
    for name in NAMES:
        steps = spy.spied(swept.work / name)[1:]
        assert {file for step in steps for file in step['files']} == {f'{number}.png' for number in range(6)}
        assert 'Iter(test) [2/2]' in (swept.work / name / 'log.txt').read_text()
    assert (swept.sweep['images'], swept.sweep['held_out']) == (6, 0.25)


def test_runs_share_weights_and_batches_and_differ_in_the_loss(swept):
    starts, *steps = zip(*(spy.spied(swept.work / name) for name in NAMES), strict=True)
    assert len({start['weights'] for start in starts}) == 1
    assert [len({run['batch'] for run in step}) for step in steps] == [1] * 6
    assert [len({run['loss'] for run in step}) for step in steps] == [2] * 6
    seeds = {record['seed'] for run in swept.sweep['runs'].values() for record in run['training']}
    assert seeds == set(swept.sweep['seeds']) == {100}


def test_the_points_equal_the_miou_of_the_runs(swept):
    plain, feature = (json.loads((swept.work / name / 'results.json').read_text())['protocols']['single']['mIoU']
                      for name in NAMES)
    assert swept.sweep['curves'] == {'resolution=feature': {'0': [plain], '5': [feature]}}
    assert f'| resolution=feature | {plain:.2f} | {feature:.2f} |' in swept.printed


def test_report_and_figure_are_made_from_the_result_file(swept):
    place = 'work_dirs/sweep/tiny_isda_1xb2/sweep'
    assert swept.printed.endswith(f'{sweep_table(swept.sweep)}\nwrote {place}.json and {place}.png\n')
    assert cv2.imread(str(swept.work / 'sweep.png')).shape == (408, 624, 3)
    assert {'command', 'commit', 'versions', 'hardware', 'date'} <= set(swept.sweep)


@pytest.mark.parametrize('text', ['resolution', 'resolution=', 'resolution=label,', '=,'])
def test_an_empty_set_option_is_an_error(tmp_path, monkeypatch, text):
    monkeypatch.setattr(sys, 'argv', ['sweep.py', 'none.py', '--lambda-0', '1', '--work-dir', str(tmp_path), '--set',
                                      text])
    with pytest.raises(SystemExit, match=rf"--set takes KEY=VALUE\[,VALUE...\], got '{text}'"):
        runpy.run_path(str(TOOL), run_name='__main__')


def test_config_options_apply_to_every_run_and_name_the_folder(tmp_path, monkeypatch):
    _, isda = spy.write_configs(tmp_path, train=8)
    option, found = 'optim_wrapper.optimizer.lr=0.3', {}

    def instead(runs, folder, *_, **__):
        found.update({run.name: run.cfg.optim_wrapper.optimizer.lr for run in runs}, folder=folder)
        raise SystemExit

    monkeypatch.setattr(training_runs, 'run_series', instead)
    monkeypatch.chdir(tmp_path)
    tiny.run_tool(monkeypatch, 'benchmarks/sweep.py', f'{isda} {option}', '--lambda-0', 0, 5)
    assert found == {'seed_100/lambda_0=0': 0.3, 'seed_100/lambda_0=5': 0.3,
                     'folder': Path('work_dirs', 'sweep', f'tiny_isda_1xb2+{option}')}


def test_a_classifier_has_one_error_curve_per_tau(tmp_path, monkeypatch):
    config = tiny.ROOT / 'configs' / 'miniature' / 'resnet8_isda_cifar10-lt10.py'
    tiny_images.write_cifar(tmp_path)
    monkeypatch.setenv('ISDA_SEG_DATA', str(tmp_path))
    held = []

    def instead(runs, *_, taus=()):
        held.extend(run.cfg.test_dataloader.dataset for run in runs)
        return {run.name: dict(training=[dict(commit='c1')], protocols=dict(single=dict(
            top1_error=50.0, mean_class_error=60.0 + place,
            logit_adjustment={f'{tau:g}': dict(top1_error=50.0, mean_class_error=55.0 + place - tau) for tau in taus})))
                for place, run in enumerate(runs)}

    monkeypatch.setattr(training_runs, 'run_series', instead)
    printed = spy.benchmark('sweep.py', config, '--lambda-0', 0, 1, '--logit-adjustment', 0.5, 1, '--out',
                            tmp_path / 'sweep.json', '--cfg-options', 'train_dataloader.dataset.n_max=10', cwd=tmp_path)
    sweep = json.loads((tmp_path / 'sweep.json').read_text())
    assert sweep['measure'] == 'mean_class_error'
    assert sweep['curves'] == {'ISDA': {'0': [60.0], '1': [61.0]}, 'tau=0.5': {'0': [54.5], '1': [55.5]},
                               'tau=1': {'0': [54.0], '1': [55.0]}}
    assert '| tau=0.5 | 54.50 | 55.50 |' in printed
    assert sweep['images'] == 36 - 9  # of 10, 7, 5, 4, 3, 2, 2, 1, 1, 1 images
    assert [(data.split, data.holdout, data.imbalance) for data in held] == [('held_out', 9, 10)] * 2


def test_an_option_without_a_config_is_an_error(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['sweep.py', 'model.eta_1=1', '--lambda-0', '1'])
    with pytest.raises(SystemExit, match="Write both in quotes, as in 'CONFIG model.eta_1=1'"):
        runpy.run_path(str(TOOL), run_name='__main__')


def test_values_of_a_key_are_parsed_as_python_literals():
    read = runpy.run_path(str(TOOL))['_key_values']
    assert read('resolution=label,feature') == ('resolution', ['label', 'feature'])
    assert read('loss_weight=0.5,1') == ('loss_weight', [0.5, 1])
    assert read('sync=True,False') == ('sync', [True, False])
