"""Tables and figures of a paired series equal its result file."""
import cv2
import pytest

from isda_seg.paper.series.measure_names import is_main
from isda_seg.paper.series.paired import compare_arms
from isda_seg.paper.series.paired_figure import draw_many_arms, draw_paired, short_options, split_names
from isda_seg.paper.series.paired_report import class_table, commits, paired_table

PLAIN = [(40., 41., 90., 10.), (42., 44., 91., 20.), (39.5, 40., 88., 14.)]
ISDA = [(41., 40., 92., 10.), (45., 45., 94., 26.), (39., 42., 89., 18.)]


def run(single, ms, sky, car, commit):
    return dict(protocols=dict(single=dict(mIoU=single, IoU=dict(sky=sky, car=car)), ms=dict(mIoU=ms, IoU={})),
                training=[dict(commit=commit)])


def series(count, arms=('isda',)):
    """The result file of a series with so many seeds."""
    runs = {'plain': {str(seed): run(*PLAIN[seed], 'b2') for seed in range(count)}}
    runs.update({arm: {str(seed): run(*ISDA[seed], 'a1') for seed in range(count)} for arm in arms})
    return dict(plain='configs/plain.py', seeds=list(range(count)), runs=runs,
                comparisons={arm: compare_arms(runs['plain'], runs[arm]) for arm in arms})


def cells(row):
    return [cell.strip() for cell in row.strip('|').split('|')]


def test_table_rows_equal_the_result_file():
    paired = series(3)
    lines = paired_table(paired).splitlines()
    assert lines[0] == ('`isda` minus `plain`, mIoU and IoU in per cent, seeds 0, 1, 2, trained at commit a1, b2:')
    comparison = paired['comparisons']['isda']
    entries = {'mIoU, single': comparison['measures']['single'], 'mIoU, ms': comparison['measures']['ms']}
    assert [cells(row)[0] for row in lines[4:6]] == list(entries)
    for row, entry in zip(lines[4:6], entries.values(), strict=True):
        _, plain, isda, by_seed, mean, t, bootstrap = cells(row)
        assert float(plain) == pytest.approx(entry['baseline'], abs=0.005)
        assert float(isda) == pytest.approx(entry['arm'], abs=0.005)
        assert [float(value) for value in by_seed.split()] == pytest.approx(entry['by_seed'], abs=0.005)
        assert float(mean) == pytest.approx(entry['mean'], abs=0.005)
        assert [float(value) for value in t.split(' to ')] == pytest.approx(entry['t'], abs=0.005)
        assert [float(value) for value in bootstrap.split(' to ')] == pytest.approx(entry['bootstrap'], abs=0.005)


def test_table_row_equals_a_hand_calculation():
    # Differences 1, 3, -0.5: mean 7/6, variance 37/12, and 4.303 is the 97.5 % point of t with 2 degrees of freedom.
    row = paired_table(series(3)).splitlines()[4]
    assert row == '| mIoU, single | 40.50 | 41.67 | +1.00 +3.00 -0.50 | +1.17 | -3.20 to +5.53 | -0.50 to +3.00 |'


def test_class_table_has_iou_precision_and_recall_with_intervals():
    paired = series(3)
    for arm in paired['runs'].values():
        for number, result in enumerate(arm.values()):
            result['protocols']['single'].update(precision=dict(sky=80.0 + number), recall=dict(sky=None))
    paired['comparisons'] = dict(isda=compare_arms(paired['runs']['plain'], paired['runs']['isda']))
    lines = class_table(paired, 'isda').splitlines()
    assert lines[2:4] == ['| class | baseline IoU | IoU | precision |', '|---|---|---|---|']
    assert lines[4] == '| sky | 89.67 | +2.00 (-0.48 to +4.48) | +0.00 (+0.00 to +0.00) |'
    assert lines[5] == '| car | 14.67 | +3.33 (-4.26 to +10.92) |  |'


def test_single_pair_has_empty_intervals():
    lines = paired_table(series(1)).splitlines()
    assert lines[4] == '| mIoU, single | 40.00 | 41.00 | +1.00 | +1.00 |  |  |'
    assert lines[-1] == '| car | 10.00 | +0.00 |'


def test_two_arms_have_separate_tables():
    tables = paired_table(series(2, ('isda', 'isda_shared'))).split('\n\n`')[1:]
    assert [table.strip('`').split('`')[0] for table in tables] == ['isda', 'isda_shared'] * 2  # measures, classes
    assert tables[0].splitlines()[1:] == tables[1].splitlines()[1:]


def test_side_by_side_table_starts_with_the_baseline():
    lines = paired_table(series(2, ('isda', 'shared'))).splitlines()
    assert lines[:3] == ['| | mIoU, single | mIoU, ms |', '|---|---|---|', '| `plain` | 41.00 ± 1.41 | 42.50 ± 2.12 |']
    assert [line.split('`')[1] for line in lines[2:5]] == ['plain', 'isda', 'shared']
    assert '± ' not in paired_table(series(2))


def detectors(*arms):
    """A series of one seed: box and mask mAP of every arm."""
    runs = {name: {'0': dict(protocols=dict(single=dict(bbox_mAP=box, segm_mAP=mask)), training=[dict(commit='a1')])}
            for name, box, mask in arms}
    plain, *others = runs
    return dict(plain=f'configs/{plain}.py', seeds=[0], runs=runs,
                comparisons={arm: compare_arms(runs[plain], runs[arm]) for arm in others})


def test_detection_series_reports_box_and_mask_map(tmp_path):
    paired = detectors(('plain', 38.9, 35.2), ('isda', 39.4, 35.6), ('torchvision', 38.2, 34.7))
    lines = paired_table(paired).splitlines()
    assert lines[:5] == ['| | box mAP | mask mAP |', '|---|---|---|', '| `plain` | 38.90 | 35.20 |',
                         '| `isda` | 39.40 | 35.60 |', '| `torchvision` | 38.20 | 34.70 |']
    assert lines[6].startswith("`isda` minus `plain`, COCO's mAP in per cent, seeds 0, trained at commit a1")
    heads = [line for line in lines if line.endswith('| 95 % (bootstrap) |')]
    assert [head.split(' difference')[0] for head in heads] == ['| | baseline | ISDA |', '| | baseline | this arm |']
    assert [cells(line)[:5] for line in lines[10:12]] == [['box mAP', '38.90', '39.40', '+0.50', '+0.50'],
                                                          ['mask mAP', '35.20', '35.60', '+0.40', '+0.40']]
    draw_paired(paired, tmp_path / 'map.png')
    assert cv2.imread(str(tmp_path / 'map.png')).shape[1] == 1200


def test_commits_are_unique_and_sorted():
    paired = series(2)
    assert commits(paired) == ['a1', 'b2']
    paired['runs']['isda']['1']['training'] += [dict(commit='c3'), dict(commit='b2')]
    assert commits(paired) == ['a1', 'b2', 'c3']


def test_three_arms_share_one_table_of_differences():
    lines = paired_table(series(3, ('isda', 'shared', 'full'))).splitlines()
    assert [line.split(' | ')[0] for line in lines[2:6]] == ['| `plain`', '| `isda`', '| `shared`', '| `full`']
    assert lines[7] == 'Differences to `plain`, seeds 0, 1, 2, trained at commit a1, b2:'
    assert lines[11] == '| `isda` | mIoU, single | +1.17 | -3.20 to +5.53 | -0.50 to +3.00 |'
    assert lines[17:19] == ['', '`isda` minus `plain`, mean difference and 95 % CI of each class:']


def test_nll_has_three_decimals_and_is_not_a_main_measure(tmp_path):
    paired = series(2)
    for arm in paired['runs'].values():
        for number, result in enumerate(arm.values()):
            result['protocols']['single'].update(nll=0.5 + number / 8, aAcc=90.0)
            result['training_accuracy'] = 97.0
    paired['comparisons'] = dict(isda=compare_arms(paired['runs']['plain'], paired['runs']['isda']))
    rows = {cells(line)[0]: cells(line) for line in paired_table(paired).splitlines()[4:]}
    assert rows['negative log-likelihood'][1:5] == ['0.562', '0.562', '+0.000 +0.000', '+0.000']
    assert (rows['pixel accuracy'][1], rows['training accuracy'][1]) == ('90.00', '97.00')
    assert [name for name in paired['comparisons']['isda']['measures'] if is_main(name)] == ['single', 'ms']
    draw_paired(paired, tmp_path / 'one.png')
    assert cv2.imread(str(tmp_path / 'one.png')).shape[1] == 1200


@pytest.mark.parametrize('count', [1, 3])
def test_figure_has_a_row_per_arm_and_a_point_per_seed(tmp_path, count):
    draw_paired(series(count), tmp_path / 'new' / 'one.png')
    draw_paired(series(count, ('isda', 'shared')), tmp_path / 'two.png')
    one, two = (cv2.imread(str(tmp_path / name)) for name in ('new/one.png', 'two.png'))
    assert (one.shape, two.shape) == ((456, 1200, 3), (912, 1200, 3))
    colours_found = [colour for colour in ((31, 119, 180), (255, 127, 14), (44, 160, 44)) if close(one, colour)]
    assert len(colours_found) == count


def close(image, colour):
    """Whether a figure has points of this colour, drawn with an alpha of 0.6 on white."""
    shown = [0.6 * value + 0.4 * 255 for value in colour[::-1]]
    return bool((abs(image.astype(float) - shown).max(-1) < 2).any())


def test_diverged_runs_are_listed_and_excluded(tmp_path):
    paired = series(3)
    paired['runs']['isda']['1'] = dict(protocols={}, diverged=dict(iteration=9), training=[dict(commit='a1')])
    paired['comparisons'] = dict(isda=compare_arms(paired['runs']['plain'], paired['runs']['isda']))
    lines = paired_table(paired).splitlines()
    assert lines[0] == 'Diverged runs, excluded with their pairs: `isda` seed 1.'
    assert lines[2].startswith('`isda` minus `plain`, mIoU and IoU in per cent, seeds 0, 2,')
    assert cells(lines[6])[:5] == ['mIoU, single', '39.75', '40.00', '+1.00 -0.50', '+0.25']
    draw_paired(paired, tmp_path / 'pairs.png')
    for seed in paired['runs']['plain']:
        paired['runs']['plain'][seed] = dict(protocols={}, diverged=dict(iteration=9), training=[dict(commit='a1')])
    paired['comparisons'] = dict(isda=compare_arms(paired['runs']['plain'], paired['runs']['isda']))
    assert paired_table(paired).startswith('Diverged runs, excluded with their pairs: `plain` seed 0; `plain` seed 1;')
    draw_paired(paired, tmp_path / 'none.png')
    assert cv2.imread(str(tmp_path / 'pairs.png')).shape != cv2.imread(str(tmp_path / 'none.png')).shape


@pytest.mark.parametrize(('names', 'parts'), [
    (['net_isda_data', 'net_isda_data hooks.ramp=constant'], ('net_isda_data ', ['', 'hooks.ramp=constant'], '')),
    (['net_d16_isda_cam16-160', 'net_d16_weights_cam16-160', 'net_d16_weights_isda_cam16-160'],
     ('net_d16_', ['isda', 'weights', 'weights_isda'], '_cam16-160')),
    (['a lambda_0=1', 'a lambda_0=10'], ('a lambda_0=', ['1', '10'], '')),
    (['a q=10 m=.5', 'a q=100 m=.5', 'a q=1 n=0 m=.5'], ('a q=', ['10', '100', '1 n=0'], ' m=.5')),
    (['one', 'other'], ('', ['one', 'other'], ''))])
def test_names_split_into_common_prefix_parts_and_suffix(names, parts):
    assert split_names(names) == parts


def test_outlier_is_drawn_at_the_edge_and_an_arm_without_pairs_stays_empty():
    arms = series(3, ('isda', 'far', 'gone', 'last'))['comparisons']
    arms['far']['measures']['single'].update(mean=-1234.)
    arms['gone'] = dict(arms['gone'], measures={}, diverged=dict(plain=[0, 1, 2]))
    axis, = draw_many_arms(arms).axes
    largest = 1.5 * arms['isda']['measures']['single']['t'][1]
    assert axis.get_ylim() == pytest.approx((-largest, largest))
    assert [text.get_text() for text in axis.texts] == ['-1.23e+03']
    assert [label.get_text() for label in axis.get_xticklabels()] == ['isda', 'far', 'gone\n3 excluded: a run diverged',
                                                                      'last']
    assert axis.lines[0].get_xdata().tolist() == [0, 1, 3]


def test_options_shorten_to_the_last_part_of_an_unambiguous_key():
    assert short_options(['net_isda', 'net a.samples=1 a.width=2', 'net a.samples=5 b.width=2 seed=3']) == {
        'a.samples=1': 'samples=1', 'a.samples=5': 'samples=5', 'seed=3': 'seed=3'}
