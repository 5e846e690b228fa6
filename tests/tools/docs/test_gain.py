"""The front page tells of the gain what the recorded pairs show, losses as gains, and counts what it leaves out."""
import json

import pytest

from docs.gain import digits, every_arm, front_page, gain
from docs.gain_series import recorded_gains

NOTE = 'Better, worse: the 95 % CI (paired t) excludes zero.'


def series(folder, *entries, **keys):
    """Files of recorded pairs: title, measure, mean, 95 % interval."""
    plan = [dict(name=title, title=title, **keys) for title, *_ in entries]
    (folder / 'plan.json').write_text(json.dumps([*plan, dict(name='later', title='Later')]))
    for title, measure, mean, interval in entries:
        first = {measure: values(mean, interval), 'other': values(-9.0, [-9.5, -8.5])}
        comparisons = {'isda': dict(measures=first), 'isda option=1': dict(measures={measure: values(9.0, None)})}
        (folder / f'{title}.json').write_text(json.dumps(dict(kind='paired', comparisons=comparisons)))


def values(mean, interval, pairs=2):
    return dict(baseline=50.0, arm=50.0 + mean, mean=mean, t=interval, by_seed=[mean] * pairs)


def change_plan(folder, place, **keys):
    plan = json.loads((folder / 'plan.json').read_text())
    plan[place].update(keys)
    (folder / 'plan.json').write_text(json.dumps(plan))


def change_measures(folder, title, **measures):
    entry = json.loads((folder / f'{title}.json').read_text())
    entry['comparisons']['isda']['measures'].update(measures)
    (folder / f'{title}.json').write_text(json.dumps(entry))


def settings(gains):
    return [found.setting for found in gains]


def test_each_task_has_a_table_with_gains_and_losses(tmp_path):
    series(tmp_path, ('A', 'top1_error_last2', 0.25, [0.125, 0.375]), ('B', 'top1_error', -0.75, [-1.0, -0.5]),
           ('C', 'single', -0.5, [-3.0, 2.0]), ('D', 'single', -1.5, [-2.0, -1.0]), ('E', 'top1_error', -2.0, None))
    change_plan(tmp_path, 4, task='semi-supervised', setting='Few labels')
    assert gain(tmp_path, 'ALL') == f"""\
| segmentation: mIoU in %, higher is better | pairs | baseline | ISDA | difference (95 % CI) | ISDA is |
|---|---|---|---|---|---|
| C | 2 | 50.00 | 49.50 | -0.50 (-3.00 to +2.00) |  |
| D | 2 | 50.00 | 48.50 | -1.50 (-2.00 to -1.00) | worse |

| classification: test error in %, lower is better | pairs | baseline | ISDA | difference (95 % CI) | ISDA is |
|---|---|---|---|---|---|
| A | 2 | 50.00 | 50.25 | +0.25 (+0.12 to +0.38) | worse |
| B | 2 | 50.00 | 49.25 | -0.75 (-1.00 to -0.50) | better |

| semi-supervised: test error in %, lower is better | pairs | baseline | ISDA | difference (95 % CI) | ISDA is |
|---|---|---|---|---|---|
| Few labels | 2 | 50.00 | 48.00 | -2.00 |  |

{NOTE} Left out of [5 recorded series](ALL): none."""


def test_without_any_pair_it_is_not_yet_run(tmp_path):
    assert gain(tmp_path, 'ALL') == 'not yet run'


def test_a_plan_may_choose_the_arm_of_a_series(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]))
    change_plan(tmp_path, 0, arm='isda option=1')
    assert '| A | 2 | 50.00 | 59.00 | +9.00 |  |' in gain(tmp_path, 'ALL')


@pytest.mark.parametrize('fitted, keys', [(79.0, {}), (None, dict(underfitted=True))])
def test_underfitted_series_are_counted_with_their_verdict(tmp_path, fitted, keys):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'single', -5.0, [-6.0, -4.0]))
    change_plan(tmp_path, 1, **keys)
    if fitted:
        change_measures(tmp_path, 'B', training_accuracy=dict(baseline=fitted))
    found = recorded_gains(tmp_path)
    assert (settings(found.shown), settings(found.unfitted), found.unfitted[0].fitted) == (['A'], ['B'], fitted)
    assert gain(tmp_path, 'ALL').endswith(
        f'{NOTE} Left out of [2 recorded series](ALL): none. In 1 more the baseline underfits its training images '
        '(training accuracy below 80 %, where measured): ISDA is better in 0 and worse in 1 of these.')


def test_each_setting_shows_its_latest_series_with_the_most_pairs(tmp_path):
    series(tmp_path, *((title, 'single', mean, [-9.0, 9.0]) for title, mean in dict(A=1.0, B=2.0, C=3.0).items()),
           task='segmentation', setting='One')
    assert [found.difference for found in recorded_gains(tmp_path).shown] == [3.0]
    change_measures(tmp_path, 'B', single=values(2.0, [-9.0, 9.0], pairs=3))
    found = recorded_gains(tmp_path)
    assert ([gain.difference for gain in found.shown], found.repeated, found.number) == ([2.0], 2, 3)
    assert '2 that repeat a row with other seeds (most pairs shown)' in gain(tmp_path, 'ALL')
    change_plan(tmp_path, 2, task='another')
    assert [gain.difference for gain in recorded_gains(tmp_path).shown] == [2.0, 3.0]


def test_comparisons_of_more_than_isda_are_counted_but_not_shown(tmp_path):
    series(tmp_path, *((title, 'single', 1.5, [1.0, 2.0]) for title in 'ABCDE'))
    change_plan(tmp_path, 1, choice=True)
    change_plan(tmp_path, 4, combined=True)
    for name, keys in (('A', dict(plain='configs/isda/resnet8_data.py x=1')),
                       ('C', dict(plain='configs/resnet8_isda_data.py x=1')),
                       ('D', dict(comparisons=dict(isda=dict(measures={}))))):
        entry = json.loads((tmp_path / f'{name}.json').read_text())
        (tmp_path / f'{name}.json').write_text(json.dumps(dict(entry, **keys)))
    found = recorded_gains(tmp_path)
    assert (settings(found.shown), found.choices, found.on_isda, found.combined, found.diverged, found.number) == (
        ['A'], 1, 1, 1, 1, 5)
    assert gain(tmp_path, 'ALL').endswith(
        'Left out of [5 recorded series](ALL): 1 that selected a setting; 1 with ISDA in the baseline; 1 whose arms '
        'differ from the baseline by more than ISDA; 1 in which every pair diverged.')


def test_nll_gains_and_losses_are_counted(tmp_path):
    series(tmp_path, *((title, 'single', 1.5, [1.0, 2.0]) for title in 'ABCD'))
    for title, bounds in dict(B=[-0.5, -0.125], C=[-0.1, 0.1], D=[0.1, 0.2]).items():
        change_measures(tmp_path, title, nll=dict(mean=0.0, t=bounds))
    assert 'NLL decreases in 1 of 3 rows and increases in 1, by the same rule.' in gain(tmp_path, 'ALL')


def test_the_front_page_shows_the_settings_with_the_most_pairs(tmp_path):
    series(tmp_path, *((name, 'top1_error', mean, [mean - 1.0, mean + 1.0])
                       for name, mean in dict(A=3.0, B=-3.0, C=0.0, D=-5.0, E=2.0).items()))
    change_plan(tmp_path, 4, task='semi-supervised')
    change_measures(tmp_path, 'D', top1_error=values(-5.0, [-6.0, -4.0], pairs=3))
    table, note = front_page(tmp_path, 'ALL').split('\n\n')
    head, _, *rows = table.splitlines()
    assert head.startswith('| classification and semi-supervised: test error in %, lower is better |')
    assert [row.split(' |')[0] for row in rows] == [f'| [{name}](ALL#{name.lower()})' for name in 'ABDE']
    assert [line.split('| ')[-1] for line in rows] == ['worse |', 'better |', 'better |', 'worse |']
    assert note == (f'{NOTE} Shown are a few settings of each task, those with the most pairs; [all settings, and what '
                    'is left out](ALL).')


def test_the_front_page_has_a_table_per_measure_with_segmentation_first(tmp_path):
    series(tmp_path, ('A', 'top1_error', -3.0, [-4.0, -2.0]), ('B', 'single', 1.0, None))
    first, second, _ = front_page(tmp_path, 'ALL').split('\n\n')
    assert first.startswith('| segmentation: mIoU') and second.startswith('| classification: test error')
    (tmp_path / 'plan.json').write_text('[]')
    assert front_page(tmp_path, 'ALL') == 'not yet run'


def test_the_table_of_the_digits_equals_their_result_files(tmp_path):
    assert digits(tmp_path) == 'not yet run'
    plain = dict(error=dict(mean=5.0, interval=None), nll=dict(mean=0.25, interval=None))
    own = dict(error=dict(mean=4.5, interval=[-0.75, -0.25]),
               nll=dict(mean=0.125, interval=[-0.15, -0.1]))
    entry = dict(lambda_0=1.5, seeds=[0, 1], comparison={'0': plain, '1.5': own})
    (tmp_path / 'gain.json').write_text(json.dumps(entry))
    (tmp_path / 'gain_sweep.json').write_text(json.dumps(dict(arms={'0': [], '1': [], '1.5': []})))
    assert digits(tmp_path).splitlines() == [
        '| lower is better | pairs | baseline | ISDA | difference (95 % CI) |', '|---|---|---|---|---|',
        '| test error in % | 2 | 5.00 | 4.50 | -0.50 (-0.75 to -0.25) |',
        '| NLL | 2 | 0.250 | 0.125 | -0.125 (-0.150 to -0.100) |', '',
        '`lambda_0` is one of 3 values tried on held-out images with other seeds.']


def test_every_arm_has_a_row_with_its_measures(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'single', 1.0, None), ('C', 'single', 1.0, None))
    for place, keys in enumerate((dict(task='segmentation', setting='Small'), dict(task='segmentation', setting='B',
                                                                                  underfitted=True))):
        change_plan(tmp_path, place, **keys)
    change_measures(tmp_path, 'A', nll=values(-0.25, [-0.5, -0.125]))
    assert every_arm(tmp_path, 'segmentation').splitlines()[2:4] == [
        '| Small | `isda` | 50.00 | +1.50 (+1.00 to +2.00) |  | -0.250 (-0.500 to -0.125) |  |',
        '| Small | `isda option=1` | 50.00 | +9.00 |  |  |  |']
    assert len(every_arm(tmp_path, 'segmentation').splitlines()) == 6
    assert every_arm(tmp_path, 'detection') == 'not yet run'
