"""The front page tells of the gain what the recorded pairs show, and no more."""
import json

from isda_seg.analysis.tables.gain import digits, gain, recorded_gains


def series(folder, *entries):
    """Files of recorded pairs: title, measure, mean, 95 % interval."""
    plan = [dict(name=title, title=title) for title, *_ in entries]
    (folder / 'plan.json').write_text(json.dumps([*plan, dict(name='later', title='Later')]))
    for title, measure, mean, interval in entries:
        first = {measure: dict(mean=mean, t=interval), 'other': dict(mean=-9.0, t=[-9.5, -8.5])}
        comparisons = {'isda': dict(measures=first), 'isda option=1': dict(measures={measure: dict(mean=9.0, t=None)})}
        (folder / f'{title}.json').write_text(json.dumps(dict(kind='paired', comparisons=comparisons)))


def test_without_a_certain_gain_the_front_page_says_none(tmp_path):
    series(tmp_path, ('A', 'single', -0.5, [-3.0, 2.0]), ('B', 'top1_error_last2', 0.25, [0.125, 0.375]),
           ('C', 'top1_error_last2', -0.75, [-3.0, 1.5]))
    assert gain(tmp_path) == (
        'In 3 recorded series of pairs with the same seeds, where plain training fits its images (80 % right or more), '
        'ISDA is better beyond the 95 % interval in none and worse beyond it in 1 (B). In points for ISDA the means '
        'reach from -0.50 (A, mIoU, -3.00 to +2.00) to +0.75 (C, test error, -1.50 to +3.00).')


def test_a_certain_gain_is_named_whichever_way_its_measure_counts(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'top1_error', -1.0, [-1.5, -0.5]),
           ('C', 'top1_error', -2.0, None))
    text = gain(tmp_path)
    assert 'better beyond the 95 % interval in 2 (A; B) and worse beyond it in none' in text
    assert text.endswith('from +1.00 (B, test error, +0.50 to +1.50) to +2.00 (C, test error).')


def test_of_more_than_two_series_only_the_number_is_told(tmp_path):
    series(tmp_path, *((title, 'single', 1.5, [1.0, 2.0]) for title in 'ABC'))
    assert 'better beyond the 95 % interval in 3 and worse beyond it in none' in gain(tmp_path)


def test_without_any_pair_it_is_not_yet_run(tmp_path):
    assert gain(tmp_path) == 'not yet run'


def test_an_arm_may_stand_for_its_series_and_networks_that_had_not_fitted_count_for_nothing(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'single', -5.0, [-6.0, -4.0]))
    plan = json.loads((tmp_path / 'plan.json').read_text())
    plan[0]['arm'], plan[1]['underfitted'] = 'isda option=1', True
    (tmp_path / 'plan.json').write_text(json.dumps(plan))
    assert gain(tmp_path).split('. In points')[1] == ' for ISDA its mean is +9.00 (A, mIoU).'
    assert gain(tmp_path).split(' of pairs')[0] == 'In 1 recorded series'


def test_a_network_that_has_not_fitted_its_images_is_drawn_and_not_counted(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'single', -5.0, [-6.0, -4.0]))
    entry = json.loads((tmp_path / 'B.json').read_text())
    entry['comparisons']['isda']['measures']['training_accuracy'] = dict(baseline=79.0, mean=-1.0, t=[-2.0, 0.0])
    (tmp_path / 'B.json').write_text(json.dumps(entry))
    assert gain(tmp_path).split(' of pairs')[0] == 'In 1 recorded series'
    assert [(found.title, found.fitted) for found in recorded_gains(tmp_path)] == [('A', None), ('B', 79.0)]


def test_pairs_that_two_series_share_count_once(tmp_path):
    series(tmp_path, *((title, 'single', 1.5, [1.0, 2.0]) for title in 'ABC'))
    for title, by_seed in dict(A=[1.0, 2.0], B=[1.0, 2.0], C=[2.0, 1.0]).items():
        entry = json.loads((tmp_path / f'{title}.json').read_text())
        entry['comparisons']['isda']['measures']['single']['by_seed'] = by_seed
        (tmp_path / f'{title}.json').write_text(json.dumps(entry))
    assert [found.title for found in recorded_gains(tmp_path)] == ['A', 'C']


def test_the_sentence_of_the_digits_is_that_of_their_result_files(tmp_path):
    assert digits(tmp_path) == 'not yet run'
    plain = dict(error=dict(mean=5.0, interval=None), nll=dict(mean=0.25, interval=None))
    own = dict(error=dict(mean=4.5, interval=[-0.75, -0.25]),
               nll=dict(mean=0.125, interval=[-0.15, -0.1]))
    entry = dict(lambda_0=1.5, seeds=[0, 1], comparison={'0': plain, '1.5': own})
    (tmp_path / 'gain.json').write_text(json.dumps(entry))
    (tmp_path / 'gain_sweep.json').write_text(json.dumps(dict(arms={'0': [], '1': [], '1.5': []})))
    assert digits(tmp_path) == (
        'Over 2 pairs of seeds with 95 % intervals: test error in per cent from 5.00 to 4.50 (-0.75 to -0.25); '
        'negative log-likelihood from 0.250 to 0.125 (-0.150 to -0.100). `lambda_0` is one of 3 values tried on other '
        'images with other seeds.')


def test_a_choice_is_no_verdict_and_likelihoods_are_counted_where_they_were_measured(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'single', 0.5, [-1.0, 2.0]),
           ('C', 'single', 9.0, [8.0, 10.0]))
    plan = json.loads((tmp_path / 'plan.json').read_text())
    plan[2]['choice'] = True
    (tmp_path / 'plan.json').write_text(json.dumps(plan))
    entry = json.loads((tmp_path / 'B.json').read_text())
    entry['comparisons']['isda']['measures']['nll'] = dict(mean=-0.25, t=[-0.5, -0.125])
    (tmp_path / 'B.json').write_text(json.dumps(entry))
    assert ('better beyond the 95 % interval in 1 (A) and worse beyond it in none; negative log-likelihood is '
            'lower beyond it in 1 of 1. In points') in gain(tmp_path)


def test_pairs_whose_baseline_is_isda_say_nothing_of_its_gain(tmp_path):
    series(tmp_path, ('A', 'single', 1.5, [1.0, 2.0]), ('B', 'single', 9.0, [8.0, 10.0]))
    for name, plain in (('A', 'configs/isda/resnet8_data.py x=1'), ('B', 'configs/resnet8_isda_data.py x=1')):
        entry = json.loads((tmp_path / f'{name}.json').read_text())
        (tmp_path / f'{name}.json').write_text(json.dumps(dict(entry, plain=plain)))
    assert [found.title for found in recorded_gains(tmp_path)] == ['A']
