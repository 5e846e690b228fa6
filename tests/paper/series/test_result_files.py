"""Recorded results by config, and adjusted results at one tau."""
import json

import pytest

from isda_seg.paper.series.result_files import at_tau, read_results, read_series

OPTION = 'a_isda model.loss.covariance=shared'


def result(config, value):
    return dict(config=config, protocols=dict(single=dict(top1_error=value)))


def paired(options, **runs):
    return dict(kind='paired', options=options, runs=runs)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'series').mkdir()
    runs = {seed: result(f'work_dirs/paired/a/seed_{seed}.py', float(seed)) for seed in ('10', '9')}
    files = {
        'one.json': result('configs/room/b.py', 5.0), 'gone.json': result('configs/of/an_old_name.py', 6.0),
        'again.json': result('configs/room/a.py', 7.0), 'timings.json': {'make test': {}},
        'series/plan.json': [dict(name='pair')], 'series/sweep.json': dict(kind='sweep', runs={}),
        'series/pair.json': paired({}, a=runs, a_isda=runs, **{OPTION: runs}),
        'series/more.json': paired({}, a={'2': result('any.py', 2.0)}),
        'series/short.json': paired({'train_cfg.max_iters': 3}, a={'0': result('any.py', 0.0)})}
    for name, content in files.items():
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path


def errors(results):
    return [entry['protocols']['single']['top1_error'] for entry in results]


def test_results_are_keyed_by_config_stem_and_options(folder):
    found = read_results(folder)
    assert (errors(found['b']), errors(found['an_old_name'])) == ([5.0], [6.0])
    assert sorted(found) == ['a', 'a_isda', OPTION, 'an_old_name', 'b']


def test_series_gives_sorted_results_per_seed_and_replaces_single_files(folder):
    found = read_results(folder)
    assert errors(found['a']) == [2.0, 9.0, 10.0]
    assert errors(found['a_isda']) == errors(found[OPTION]) == [9.0, 10.0]


def test_series_exclude_the_plan(folder):
    assert list(read_series(folder / 'series')) == ['more', 'pair', 'short', 'sweep']


def test_empty_folder_has_no_results(tmp_path):
    assert (read_results(tmp_path), read_series(tmp_path / 'series')) == ({}, {})


def test_result_at_tau_has_adjusted_measures_without_means_of_evaluations():
    single = dict(top1_error=40.0, nll=1.5, top1_error_last10=41.0, mean_AP=60.0,
                  logit_adjustment={'0.5': dict(top1_error=38.0, nll=1.25)})
    entry = dict(protocols=dict(single=single), training_accuracy=99.0)
    assert at_tau(entry, 0.5) == dict(protocols=dict(single=dict(top1_error=38.0, nll=1.25, mean_AP=60.0)),
                                      training_accuracy=99.0)
    assert at_tau(entry, 0.0)['protocols']['single'] == {key: value for key, value in single.items()
                                                         if key != 'logit_adjustment'}
    assert at_tau(dict(protocols={}, diverged={}), 0.5) == dict(protocols={}, diverged={})
