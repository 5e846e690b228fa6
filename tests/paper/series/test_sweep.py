"""A sweep has one run per lambda_0, curve and seed on the same images; its table and figure."""
import cv2
import pytest
from helpers import tiny
from mmengine.config import Config

from isda_seg import compat
from isda_seg.paper.series.sweep import draw_sweep, run_name, settings, summarize, sweep_runs, sweep_table

CURVES = {'resolution': ['label', 'feature'], 'covariance': ['diagonal', 'full']}
KINDS = ['lambda_0=0',
         'resolution=label_covariance=diagonal_lambda_0=1', 'resolution=label_covariance=diagonal_lambda_0=2.5',
         'resolution=label_covariance=full_lambda_0=1', 'resolution=label_covariance=full_lambda_0=2.5',
         'resolution=feature_covariance=diagonal_lambda_0=1', 'resolution=feature_covariance=diagonal_lambda_0=2.5',
         'resolution=feature_covariance=full_lambda_0=1', 'resolution=feature_covariance=full_lambda_0=2.5']
NAMES = [f'seed_100/{kind}' for kind in KINDS]
SWEEP = dict(curves={'resolution=label': {'0': 30.004, '1': 31.5, '2.5': 32.25},
                     'resolution=feature': {'0': 30.004, '1': 29.0, '2.5': 33.125}}, images=6, seed=100)


@pytest.fixture(scope='module')
def isda(tmp_path_factory):
    compat.prepare()
    return Config.fromfile(tiny.write_configs(tmp_path_factory.mktemp('sweep'), train=8)[1])


@pytest.fixture(scope='module')
def runs(isda):
    return sweep_runs(isda, [0, 1, 2.5], CURVES, [100], 0.25, {'train_cfg.max_iters': 3})


def losses(cfg):
    return [cfg.model[head].loss_decode for head in ('decode_head', 'auxiliary_head')]


def test_baseline_is_one_run_and_other_lambda_0_are_one_run_per_curve(runs):
    assert [run.name for run in runs] == NAMES
    assert {loss.lambda_0 for loss in losses(runs[0].cfg)} == {0}


def test_run_configs_have_the_keys_of_their_names_in_both_heads(runs):
    for run in runs[1:]:
        for loss in losses(run.cfg):
            assert run.name == (f'seed_100/resolution={loss.resolution}_covariance={loss.covariance}_'
                                f'lambda_0={loss.lambda_0:g}')


def test_dotted_key_changes_the_config_and_has_a_baseline_per_value(isda):
    runs = sweep_runs(isda, [0, 1], {'resolution': ['label'], 'optim_wrapper.optimizer.lr': [0.1, 0.2]}, [7], 0.25)
    assert {run.name: (run.cfg.optim_wrapper.optimizer.lr, losses(run.cfg)[0].get('resolution')) for run in runs} == {
        'seed_7/optim_wrapper.optimizer.lr=0.1_lambda_0=0': (0.1, None),
        'seed_7/resolution=label_optim_wrapper.optimizer.lr=0.1_lambda_0=1': (0.1, 'label'),
        'seed_7/optim_wrapper.optimizer.lr=0.2_lambda_0=0': (0.2, None),
        'seed_7/resolution=label_optim_wrapper.optimizer.lr=0.2_lambda_0=1': (0.2, 'label')}


def test_runs_differ_only_in_the_loss(runs):
    first = tiny.flat(runs[0].cfg.to_dict())
    for run in runs:
        other = tiny.flat(run.cfg.to_dict())
        assert {key.rpartition('.')[0] for key in tiny.differing(first, other)} <= {
            'model.decode_head.loss_decode', 'model.auxiliary_head.loss_decode'}
    assert (first['randomness.seed'], first['train_cfg.max_iters']) == (100, 3)
    assert [first[f'train_dataloader.dataset.indices.{i}'] for i in range(6)] == [0, 1, 2, 3, 4, 5]
    assert [first[f'test_dataloader.dataset.indices.{i}'] for i in range(2)] == [6, 7]


def test_no_run_reads_the_reported_validation_folder(runs):
    for run in runs:
        folders = {value for key, value in tiny.flat(run.cfg.to_dict()).items()
                   if '_dataloader.dataset.data_prefix' in key}
        assert folders == {'train', 'trainannot'}


def test_baseline_and_curves_are_optional(isda):
    assert settings({}) == [{}]
    assert [run.name for run in sweep_runs(isda, [5, 10], {}, [1, 2], 0.25)] == [
        'seed_1/lambda_0=5', 'seed_1/lambda_0=10', 'seed_2/lambda_0=5', 'seed_2/lambda_0=10']
    assert run_name(3, dict(resolution='label'), 0.0) == 'seed_3/lambda_0=0'


def test_points_are_the_miou_of_their_runs_with_a_shared_baseline():
    results = {name: dict(protocols=dict(single=dict(mIoU=float(number)))) for number, name in enumerate(NAMES)}
    assert summarize(results, [2.5, 0, 1], CURVES, [100]) == {
        'resolution=label, covariance=diagonal': {'0': [0], '1': [1], '2.5': [2]},
        'resolution=label, covariance=full': {'0': [0], '1': [3], '2.5': [4]},
        'resolution=feature, covariance=diagonal': {'0': [0], '1': [5], '2.5': [6]},
        'resolution=feature, covariance=full': {'0': [0], '1': [7], '2.5': [8]}}
    alone = {f'seed_{seed}/lambda_0=1': dict(protocols=dict(single=dict(mIoU=float(seed)))) for seed in (4, 6)}
    assert summarize(alone, [1], {}, [4, 6]) == {'ISDA': {'1': [4.0, 6.0]}}


def test_table_has_a_row_per_curve_and_a_column_per_lambda_0():
    assert sweep_table(SWEEP).splitlines() == ['| | lambda_0 = 0 | lambda_0 = 1 | lambda_0 = 2.5 |',
                                               '|---|---|---|---|',
                                               '| resolution=label | 30.00 | 31.50 | 32.25 |',
                                               '| resolution=feature | 30.00 | 29.00 | 33.12 |']


def test_several_seeds_give_means_and_intervals_of_the_difference():
    sweep = dict(SWEEP, seeds=[1, 2, 3], curves={'ISDA': {'0': [30.0, 32.0, 34.0], '1': [31.0, 34.0, 37.0]}})
    rows = sweep_table(sweep).splitlines()
    assert rows[2] == '| ISDA | 32.00 | 34.00 |'
    assert rows[3] == '| difference to 0, 95 % (paired t) |  | +2.00 (-0.48 to +4.48) |'  # 4.303 / sqrt(3) either side


def test_diverged_runs_are_counted_and_not_averaged(tmp_path):
    sweep = dict(SWEEP, seeds=[1, 2, 3], curves={'ISDA': {'0': [30.0, 32.0, 34.0], '1': [31.0, None, 38.0],
                                                          '2': [None, None, None]}})
    rows = sweep_table(sweep).splitlines()
    assert rows[2] == '| ISDA | 32.00 | 34.50 (1 diverged) |  (3 diverged) |'
    assert rows[3] == '| difference to 0, 95 % (paired t) |  | +2.50 (-16.56 to +21.56) |  |'
    draw_sweep(sweep, tmp_path / 'sweep.png')
    assert colours(cv2.imread(str(tmp_path / 'sweep.png'))) == 1


def test_figure_shows_every_curve_and_the_baseline(tmp_path):
    without_plain = dict(SWEEP, curves={label: {value: miou for value, miou in points.items() if value != '0'}
                                        for label, points in SWEEP['curves'].items()})
    one_curve = dict(SWEEP, curves={'resolution=label': SWEEP['curves']['resolution=label']})
    images = {}
    for name, sweep in (('all', SWEEP), ('no_plain', without_plain), ('one', one_curve)):
        draw_sweep(sweep, tmp_path / 'new' / f'{name}.png')
        images[name] = cv2.imread(str(tmp_path / 'new' / f'{name}.png'))
    assert {image.shape for image in images.values()} == {(408, 624, 3)}
    assert colours(images['all']) == colours(images['no_plain']) == 2
    assert colours(images['one']) == 1
    assert (images['all'] != images['no_plain']).sum() > 100  # the dashed line


def colours(image):
    """How many of matplotlib's first colours a figure has: blue, orange, green."""
    return sum(bool((image == colour[::-1]).all(-1).any())
               for colour in ((31, 119, 180), (255, 127, 14), (44, 160, 44)))


def test_each_tau_adds_a_curve_of_the_same_runs():
    def run(value):
        return dict(protocols=dict(single=dict(mIoU=value, logit_adjustment={'0.5': dict(mIoU=value + 1)})))

    results = {run_name(7, {}, lambda_0): run(lambda_0) for lambda_0 in (0, 2.5)}
    assert summarize(results, [0, 2.5], {}, [7], [0.5]) == {
        'ISDA': {'0': [0], '2.5': [2.5]}, 'tau=0.5': {'0': [1], '2.5': [3.5]}}
