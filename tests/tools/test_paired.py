"""Properties of a paired series, by real runs at toy size: pairs differ in the loss alone, and no run is done twice."""
import json
import runpy
import shutil
import signal
import sys
from types import SimpleNamespace

import cv2
import pytest
from helpers import spy, tiny

from isda_seg.paper.series import training_runs
from isda_seg.paper.series.paired import compare_arms
from isda_seg.paper.series.paired_report import paired_table
from isda_seg.paper.series.processes import Slot

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

ARMS, SEEDS = ('tiny_1xb2', 'tiny_isda_1xb2'), ('0', '1')
TOOL = tiny.ROOT / 'tools' / 'benchmarks' / 'paired.py'


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    return spy.write_configs(tmp_path_factory.mktemp('configs'))


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    """Two runs at a time share the cores, one alone has them all, and another number of threads gives other bits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('OMP_NUM_THREADS', '1')
        yield


@pytest.fixture(scope='module')
def whole(tmp_path_factory, configs):
    """An uninterrupted series of two seeds."""
    folder = tmp_path_factory.mktemp('whole')
    printed = spy.benchmark('paired.py', *configs, '--seeds', *SEEDS, '--protocols', 'single', '--out',
                            'sub/paired.json', '--work-dir', 'work', cwd=folder)
    return SimpleNamespace(folder=folder, work=folder / 'work', printed=printed, configs=configs,
                           paired=json.loads((folder / 'sub' / 'paired.json').read_text()))


@pytest.fixture(scope='module')
def resumed(tmp_path_factory, whole):
    """The first pair again: the plain run killed before its evaluation, the other before its sixth step."""
    folder = tmp_path_factory.mktemp('resumed')
    work = folder / 'work'
    shutil.copytree(whole.work / ARMS[0] / 'seed_0', work / ARMS[0] / 'seed_0')
    (work / ARMS[0] / 'seed_0' / 'results.json').unlink()
    arguments = [*whole.configs, '--seeds', 0, '--jobs', 1, '--protocols', 'single', '--work-dir', 'work']
    killed = spy.killed_benchmark('paired.py', *arguments, cwd=folder, at=f'{ARMS[1]}/seed_0:5')
    names = ('results.json', 'iter_4.pth', 'iter_6.pth')
    left = sorted(str(path.relative_to(work)) for path in work.rglob('*') if path.name in names)
    return SimpleNamespace(work=work, killed=killed, left=left,
                           printed=spy.benchmark('paired.py', *arguments, cwd=folder),
                           paired=json.loads((work / f'{ARMS[1]}.json').read_text()))


def steps(work, arm, seed):
    """The initial weights of a run, and its steps."""
    start, *steps = spy.spied(work / arm / f'seed_{seed}')
    assert (start['start'], start['tensors'], [step['iter'] for step in steps]) == (0, 160, list(range(6)))
    return start['weights'], steps


@pytest.fixture
def started(monkeypatch, tmp_path):
    """started(*arms, *options) -> the runs that would be started."""
    def start(*arguments):
        found = []

        def instead(runs, *_, **__):
            found.extend(runs)
            raise SystemExit

        monkeypatch.setattr(training_runs, 'run_series', instead)
        tiny.run_tool(monkeypatch, 'benchmarks/paired.py', *arguments, '--seeds', 0, '--work-dir', tmp_path)
        return found
    return start


def test_amp_trains_every_arm_in_half_precision(configs, started):
    found = [run.cfg.optim_wrapper.type for run in started(*configs, '--amp')]
    assert found == ['BFloat16OptimWrapper'] * len(ARMS)


def test_concurrent_runs_use_different_gpus(configs, monkeypatch, tmp_path):
    found = []

    def instead(runs, folder, tools, protocols, slots, **_):
        found.extend(slots)
        raise SystemExit

    monkeypatch.setattr(training_runs, 'run_series', instead)
    tiny.run_tool(monkeypatch, 'benchmarks/paired.py', *configs, '--seeds', 0, '--work-dir', tmp_path, '--gpus', '2',
                  '3', '4', '5', '--gpus-per-run', 2, '--jobs', 3)
    assert found == [Slot(('2', '3'), 2), Slot(('4', '5'), 2), Slot(('2', '3'), 2)]


def test_options_of_an_arm_override_common_options(configs, started):
    plain, isda = configs
    rate, kind = 'optim_wrapper.optimizer.lr', 'model.decode_head.loss_decode.covariance'
    runs = started(plain, isda, f'{isda} {kind}=shared {rate}=0.3', '--cfg-options', f'{rate}=0.2')
    assert {run.name: (run.cfg.optim_wrapper.optimizer.lr, run.cfg.model.decode_head.loss_decode.get('covariance'))
            for run in runs} == {
        f'{ARMS[0]}/seed_0': (0.2, None), f'{ARMS[1]}/seed_0': (0.2, None),
        f'{ARMS[1]}+{kind}=shared+{rate}=0.3/seed_0': (0.3, 'shared')}


def test_an_arm_is_named_by_its_config_and_options(configs, tmp_path, monkeypatch):
    plain, isda = configs
    option = 'model.decode_head.loss_decode.covariance=shared'

    def instead(runs, *_, **__):
        return {run.name: dict(protocols=dict(single=dict(mIoU=30.0 + place, IoU={})), training=[dict(commit='c1')])
                for place, run in enumerate(runs)}

    monkeypatch.setattr(training_runs, 'run_series', instead)
    printed = spy.benchmark('paired.py', plain, f'{isda} {option}', '--seeds', 0, '--work-dir', tmp_path, cwd=tmp_path)
    label = f'{ARMS[1]} {option}'
    paired = json.loads((tmp_path / f'{ARMS[1]}+{option}.json').read_text())
    assert (list(paired['runs']), list(paired['comparisons'])) == ([ARMS[0], label], [label])
    assert (paired['plain'], paired['isda']) == (str(plain), [f'{isda} {option}'])
    assert f'`{label}` minus `{ARMS[0]}`, mIoU' in printed and '| +1.00 |' in printed
    assert cv2.imread(str(tmp_path / f'{ARMS[1]}+{option}.png')).shape == (456, 1200, 3)


def test_one_training_serves_all_taus_of_a_classifier(tmp_path, monkeypatch):
    folder, option = tiny.ROOT / 'configs' / 'miniature', 'test.logit_adjustment'
    plain, isda = (folder / f'resnet8_{name}cifar10-lt100.py' for name in ('', 'isda_'))
    asked = {}

    def instead(runs, *_, taus=()):
        asked.update(taus=list(taus), names=[run.name for run in runs])
        return {run.name: dict(training=[dict(commit='c1')], protocols=dict(single=dict(
            top1_error=50.0 + place, mean_class_error=60.0 + place, nll=2.0, logit_adjustment={
                f'{tau:g}': dict(top1_error=40.0 + place - tau, mean_class_error=45.0 + place - 4 * tau, nll=1.5)
                for tau in taus if tau}))) for place, run in enumerate(runs)}

    monkeypatch.setattr(training_runs, 'run_series', instead)
    printed = spy.benchmark('paired.py', plain, f'{plain} {option}=0.5', f'{isda} {option}=1', '--seeds', 3,
                            '--work-dir', tmp_path, '--out', tmp_path / 'paired.json', cwd=tmp_path)
    assert asked == dict(taus=[0.0, 0.5, 1.0], names=[f'{plain.stem}/seed_3', f'{isda.stem}/seed_3'])
    found = {arm: {name: entry['mean'] for name, entry in comparison['measures'].items()} for arm, comparison in
             json.loads((tmp_path / 'paired.json').read_text())['comparisons'].items()}
    assert found == {f'{plain.stem} {option}=0.5': dict(mean_class_error=-17.0, top1_error=-10.5, nll=-0.5),
                     f'{isda.stem} {option}=1': dict(mean_class_error=-18.0, top1_error=-10.0, nll=-0.5)}
    assert '| error, mean over classes | top1_error | negative log-likelihood |' in printed


@pytest.mark.parametrize('seed', SEEDS)
def test_arms_of_a_seed_share_initial_weights_and_batches(whole, seed):
    (plain_weights, plain), (isda_weights, isda) = (steps(whole.work, arm, seed) for arm in ARMS)
    assert isda_weights == plain_weights
    assert [step['batch'] for step in isda] == [step['batch'] for step in plain]
    assert len({step['batch'] for step in plain}) == 6
    assert all(a['loss'] > b['loss'] for a, b in zip(isda, plain, strict=True))


@pytest.mark.parametrize('arm', ARMS)
def test_seeds_differ_in_initial_weights_and_batches(whole, arm):
    (weights, first), (other_weights, second) = (steps(whole.work, arm, seed) for seed in SEEDS)
    assert weights != other_weights
    assert not {step['batch'] for step in first} & {step['batch'] for step in second}
    assert [step['files'] for step in first] != [step['files'] for step in second]


def test_the_file_has_every_run_and_the_comparison(whole):
    paired = whole.paired
    assert {arm: list(runs) for arm, runs in paired['runs'].items()} == {arm: list(SEEDS) for arm in ARMS}
    for arm in ARMS:
        for seed in SEEDS:
            run = paired['runs'][arm][seed]
            assert run == json.loads((whole.work / arm / f'seed_{seed}' / 'results.json').read_text())
            assert ([record['seed'] for record in run['training']], run['seed']) == ([int(seed)], int(seed))
    found = compare_arms(paired['runs'][ARMS[0]], paired['runs'][ARMS[1]])
    assert paired['comparisons'] == {ARMS[1]: found}
    assert found['measures']['single']['by_seed'] == [
        paired['runs'][ARMS[1]][seed]['protocols']['single']['mIoU']
        - paired['runs'][ARMS[0]][seed]['protocols']['single']['mIoU'] for seed in SEEDS]
    assert (paired['kind'], paired['seeds'], paired['options']) == ('paired', [0, 1], {})
    assert {'command', 'commit', 'versions', 'hardware', 'date'} <= set(paired)


def test_report_and_figure_are_made_from_the_result_file(whole):
    assert whole.printed.endswith(f'{paired_table(whole.paired)}\nwrote sub/paired.json, sub/paired.png\n')
    numbers, runs = zip(*(line.split(':')[0].split(' ') for line in whole.printed.splitlines() if 'min left' in line),
                        strict=True)
    assert numbers == ('1/4', '2/4', '3/4', '4/4')
    assert sorted(runs) == sorted(f'{arm}/seed_{seed}' for arm in ARMS for seed in SEEDS)
    assert cv2.imread(str(whole.folder / 'sub' / 'paired.png')).shape == (456, 1200, 3)


def files(work):
    """path -> time of the last change, of everything in the folders of runs."""
    return {str(path): path.stat().st_mtime_ns for path in sorted(work.glob('*/seed_*/**/*')) if path.is_file()}


def test_existing_runs_are_reused(whole, tmp_path):
    before = files(whole.work)
    printed = spy.benchmark('paired.py', *whole.configs, '--seeds', *SEEDS, '--protocols', 'single', '--work-dir',
                            whole.work, '--out', 'again.json', cwd=tmp_path)
    assert '4 runs, 4 of them complete\n' in printed
    assert files(whole.work) == before
    assert len([path for path in before if path.endswith('results.json')]) == 4
    again = json.loads((tmp_path / 'again.json').read_text())
    assert (again['runs'], again['comparisons']) == (whole.paired['runs'], whole.paired['comparisons'])


def test_other_settings_in_a_work_dir_are_an_error_that_changes_nothing(whole, tmp_path):
    before = files(whole.work)
    with pytest.raises(ValueError, match=r'tiny_1xb2/seed_0 holds a run with other settings'):
        spy.benchmark('paired.py', *whole.configs, '--seeds', 0, '--work-dir', whole.work, '--cfg-options',
                      'optim_wrapper.optimizer.lr=0.1', cwd=tmp_path)
    assert files(whole.work) == before


@pytest.mark.exhaustive
def test_a_killed_series_resumes(resumed):
    assert resumed.killed.returncode == -signal.SIGKILL
    assert '2 runs, 0 of them complete\n' in resumed.killed.stdout
    assert resumed.left == [f'{ARMS[0]}/seed_0/iter_4.pth', f'{ARMS[0]}/seed_0/iter_6.pth',
                            f'{ARMS[0]}/seed_0/results.json', f'{ARMS[1]}/seed_0/iter_4.pth']
    assert '2 runs, 1 of them complete\n' in resumed.printed
    plain, isda = (spy.spied(resumed.work / arm / 'seed_0') for arm in ARMS)
    assert [step.get('iter', 'start') for step in plain] == ['start', 0, 1, 2, 3, 4, 5, 'start']
    assert [step.get('iter', 'start') for step in isda] == ['start', 0, 1, 2, 3, 4, 'start', 4, 5]
    assert isda[6]['start'] == 4


@pytest.mark.exhaustive
def test_a_killed_series_ends_bitwise_like_an_uninterrupted_one(resumed, whole):
    for arm in ARMS:
        ours, theirs = (work / arm / 'seed_0' for work in (resumed.work, whole.work))
        assert tiny.differing(tiny.saved_state(ours / 'iter_6.pth'), tiny.saved_state(theirs / 'iter_6.pth')) == []
        assert resumed.paired['runs'][arm]['0']['protocols'] == whole.paired['runs'][arm]['0']['protocols']
    assert spy.spied(resumed.work / ARMS[1] / 'seed_0')[-2:] == spy.spied(whole.work / ARMS[1] / 'seed_0')[-2:]
    assert resumed.paired['comparisons'][ARMS[1]]['measures']['single']['t'] is None


@pytest.mark.parametrize(('arms', 'seeds', 'message'), [
    (['a/x.py', 'b/y.py', 'b/x.py'], [0], "Two arms have the label 'x'"),
    (['x.py', 'y.py', 'y.py a=1', 'y.py a=1'], [0], "Two arms have the label 'y a=1'"),
    (['x.py', 'model.loss.lambda_0=1'], [0], 'model.loss.lambda_0=1 is an option without a config'),
    (['x.py', 'y.py'], [1, 0, 1], '--seeds contains duplicates. Give each seed once')])
def test_a_repeated_arm_or_seed_and_a_lone_option_are_errors(tmp_path, monkeypatch, arms, seeds, message):
    monkeypatch.setattr(sys, 'argv', ['paired.py', *arms, '--seeds', *map(str, seeds), '--work-dir', str(tmp_path)])
    with pytest.raises(SystemExit, match=message):
        runpy.run_path(str(TOOL), run_name='__main__')


def test_an_unknown_option_is_an_error_before_any_run(tmp_path, configs, monkeypatch):
    plain, isda = configs
    with pytest.raises(ValueError, match=r'unknown option modle.lambda_0: did you mean model\?'):
        tiny.run_tool(monkeypatch, 'benchmarks/paired.py', plain, f'{isda} modle.lambda_0=1', '--seeds', 0,
                      '--work-dir', tmp_path / 'work')
    assert not (tmp_path / 'work').exists()
