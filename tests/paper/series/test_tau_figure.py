"""Curves over tau: arms that share a training are one curve, and a pair with a run that diverged counts nowhere."""
import cv2

from isda_seg.paper.series.arm import parse_arms
from isda_seg.paper.series.tau_figure import draw_over_tau, over_tau


def run(value, **taus):
    adjusted = {tau.replace('_', '.'): dict(mIoU=other) for tau, other in taus.items()}
    return dict(protocols=dict(single=dict(mIoU=value, logit_adjustment=adjusted)))


ARMS = parse_arms(['a/net.py', 'a/net.py test.logit_adjustment=0.5', 'a/net_isda.py x=1'])
NAMES = {'net': 'net', 'net_isda x=1': 'net_isda+x=1'}
RESULTS = {'net/seed_4': run(1.0, **{'0_5': 2.0, '1': 3.0}), 'net/seed_5': run(1.5, **{'0_5': 2.5}),
           'net_isda+x=1/seed_4': run(4.0, **{'0_5': 5.0}), 'net_isda+x=1/seed_5': run(5.0, **{'0_5': 7.0})}


def test_values_by_seed_are_collected_at_the_tau_common_to_all_runs():
    assert over_tau(ARMS, RESULTS, [4, 5]) == {'net': {'0': [1.0, 1.5], '0.5': [2.0, 2.5]},
                                               'net_isda x=1': {'0': [4.0, 5.0], '0.5': [5.0, 7.0]}}


def test_seed_with_a_diverged_run_is_excluded_from_all_curves():
    results = RESULTS | {'net/seed_4': dict(protocols={}, diverged=dict(iteration=3))}
    assert over_tau(ARMS, results, [4, 5]) == {'net': {'0': [1.5], '0.5': [2.5]},
                                               'net_isda x=1': {'0': [5.0], '0.5': [7.0]}}


def test_figure_is_drawn_only_with_several_tau(tmp_path):
    runs = {label: {'4': RESULTS[f'{folder}/seed_4']} for label, folder in NAMES.items()}
    paired = dict(runs=runs, over_tau=over_tau(ARMS, RESULTS, [4, 5]))
    assert draw_over_tau(paired, tmp_path / 'tau.png') is True
    assert cv2.imread(str(tmp_path / 'tau.png')).std() > 10
    assert draw_over_tau(dict(runs=runs, over_tau={'net': {'0': [1.0]}}), tmp_path / 'none.png') is False
    assert draw_over_tau(dict(runs=runs), tmp_path / 'none.png') is False
    assert not (tmp_path / 'none.png').exists()
