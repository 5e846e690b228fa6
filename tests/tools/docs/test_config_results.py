"""Runs with an option that equals the value of the config, or with a test option, are results of the config."""
import json

from docs.config_results import of_config, results_by_config


def arm(error, seeds):
    return {str(seed): dict(protocols=dict(single=dict(top1_error=error)), seed=seed) for seed in seeds}


def test_options_equal_to_the_config_are_dropped(tmp_path):
    series = tmp_path / 'results' / 'series'
    series.mkdir(parents=True)
    (tmp_path / 'x_isda.py').write_text("default_hooks = dict(isda=dict(lambda_0=0.5, covariance='full'))\n")
    runs = {'x_isda default_hooks.isda.lambda_0=0.5 default_hooks.isda.covariance=full': arm(1, [0, 1]),
            'x_isda default_hooks.isda.lambda_0=1': arm(2, [0]), 'x_isda': arm(3, [1, 2]),
            'x_isda default_hooks.isda.lambda_0=0.5 model.depth=8': arm(4, [5])}
    (series / 'a.json').write_text(json.dumps(dict(kind='paired', options={}, runs=runs)))
    found = {label: [(run['seed'], run['protocols']['single']['top1_error']) for run in of_label]
             for label, of_label in results_by_config(tmp_path).items()}
    assert found == {'x_isda': [(0, 1), (1, 3), (2, 3)], 'x_isda default_hooks.isda.lambda_0=1': [(0, 2)],
                     'x_isda model.depth=8': [(5, 4)]}


def test_runs_with_a_test_option_are_results_of_the_config():
    found = {'x test.logit_adjustment=0.3': [1], 'x model.depth=8 test.logit_adjustment=0.3': [2], 'y': [3],
             'y test.logit_adjustment=0.2': [4]}
    assert of_config(found, 'x') == ([1], 'test.logit_adjustment=0.3')
    assert of_config(found, 'y') == ([3], '')
    assert of_config(found, 'z') == (None, '')
