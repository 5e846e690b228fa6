"""Paired differences and their confidence intervals, and the measures of a result."""
import numpy as np
import pytest

from isda_seg.paper.series.paired import class_measures, compare_arms, difference, lower_is_better, measures

BASELINE = [40., 41., 38., 44., 39.]
ARM = [value + added for value, added in zip(BASELINE, (1, 2, 3, 4, 5), strict=True)]  # mean 3, variance 2.5
UNEVEN = [0.3, -1.7, 2.2, 0.9, -0.4, 3.1, 1.4]


def result(single, ms=None, **iou):
    protocols = dict(single=dict(mIoU=single, IoU=iou))
    return dict(protocols=protocols if ms is None else dict(protocols, ms=dict(mIoU=ms, IoU=dict(sky=0.0))))


def test_paired_t_interval_equals_the_textbook_formula():
    found = difference(BASELINE, ARM)
    half = 2.776445 * (2.5 / 5) ** 0.5  # the 97.5 % point of t with 4 degrees of freedom
    assert found.by_seed == [1, 2, 3, 4, 5]
    assert found.mean == 3
    assert found.t == pytest.approx([3 - half, 3 + half], abs=1e-6)


def test_bootstrap_interval_equals_the_exact_percentiles():
    # Of the 3125 resamples of 1..5, 56 have a mean of at most 1.6 (1.8 %) and 126 of at most 1.8 (4.0 %).
    assert difference(BASELINE, ARM).bootstrap == pytest.approx([1.8, 4.2], abs=1e-9)


def test_bootstrap_interval_equals_a_literal_bootstrap():
    values = np.array(UNEVEN)
    draws = np.random.default_rng(7).integers(0, len(values), (100_000, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    found = difference([0.0] * len(values), UNEVEN)
    assert found.bootstrap == pytest.approx([low, high], abs=0.1)
    assert min(UNEVEN) < found.bootstrap[0] < found.mean < found.bootstrap[1] < max(UNEVEN)


def test_intervals_are_deterministic():
    assert difference([0.0] * 7, UNEVEN) == difference([0.0] * 7, UNEVEN)


def test_exchanging_the_arms_changes_the_sign():
    there, back = difference(BASELINE, ARM), difference(ARM, BASELINE)
    assert back.mean == -there.mean
    assert back.by_seed == [-value for value in there.by_seed]
    assert back.t == pytest.approx([-there.t[1], -there.t[0]])


def test_interval_is_invariant_to_a_shift_of_each_seed():
    shifts = [100, -50, 7, 0.5, 20]
    moved = [[value + shift for value, shift in zip(arm, shifts, strict=True)] for arm in (BASELINE, ARM)]
    assert difference(*moved).t == pytest.approx(difference(BASELINE, ARM).t)


def test_equal_differences_give_empty_intervals():
    found = difference([1., 2., 4.], [1.5, 2.5, 4.5])
    assert (found.mean, found.t, found.bootstrap) == (0.5, [0.5, 0.5], [0.5, 0.5])


def test_single_pair_gives_no_interval():
    assert difference([40.0], [41.5]) == ([1.5], 1.5, None, None)


@pytest.mark.parametrize(('baseline', 'arm'), [([1., 2.], [1.]), ([1.], [1., 2.]), ([], [])])
def test_unequal_numbers_of_runs_are_rejected(baseline, arm):
    with pytest.raises(ValueError, match=f'the same runs in both arms, got {len(baseline)} and {len(arm)}'):
        difference(baseline, arm)


def test_segmentation_measures_are_miou_by_protocol_and_class_iou():
    found = result(40.0, 42.0, sky=90.0, sign=None)
    assert measures(found) == dict(single=40.0, ms=42.0)
    assert class_measures(found) == dict(sky=90.0)


def test_detection_measures_are_box_and_mask_map():
    single = dict(bbox_mAP=38.6, bbox_mAP_50=59.5, bbox_mAP_s=None, segm_mAP=35.6)
    assert measures(dict(protocols=dict(single=single))) == dict(bbox_mAP=38.6, segm_mAP=35.6)
    assert measures(dict(protocols=dict(single=dict(single, segm_mAP=None)))) == dict(bbox_mAP=38.6)
    assert class_measures(dict(protocols=dict(single=single))) == {}


def test_classification_measures_start_with_the_mean_class_error():
    single = dict(top1_accuracy=60.0, top1_error=40.0, top1_error_last10=41.0, nll=1.5, ece=9.0)
    assert list(measures(dict(protocols=dict(single=single)))) == ['top1_error_last10', 'top1_error', 'nll', 'ece']
    found = measures(dict(protocols=dict(single=dict(single, mean_class_error=50.0))))
    assert next(iter(found.items())) == ('mean_class_error', 50.0)
    assert lower_is_better('mean_class_error') and len(found) == 5


def test_comparison_has_the_difference_of_every_protocol_and_class():
    baseline = {'0': result(40., 41., sky=90., car=10.), '1': result(42., 44., sky=91., car=20.)}
    arm = {'0': result(41., 40., sky=92., car=10.), '1': result(45., 45., sky=94., car=26.)}
    found = compare_arms(baseline, arm)
    assert (list(found['measures']), list(found['classes'])) == (['single', 'ms'], ['sky', 'car'])
    for entry, left, right in ((found['measures']['single'], [40., 42.], [41., 45.]),
                               (found['measures']['ms'], [41., 44.], [40., 45.]),
                               (found['classes']['sky'], [90., 91.], [92., 94.]),
                               (found['classes']['car'], [10., 20.], [10., 26.])):
        assert entry == dict(baseline=np.mean(left), arm=np.mean(right), **difference(left, right)._asdict())


@pytest.mark.parametrize('missing', ['baseline', 'arm'])
def test_class_absent_from_one_run_is_excluded(missing):
    arms = {name: {'0': result(40., sky=90., car=10.), '1': result(42., sky=91., car=20.)}
            for name in ('baseline', 'arm')}
    arms[missing]['1']['protocols']['single']['IoU']['car'] = None
    assert list(compare_arms(**arms)['classes']) == ['sky']


@pytest.mark.parametrize('seeds', [['0'], ['0', '2'], ['1', '0'], ['0', '1', '2']])
def test_arms_with_different_seeds_are_rejected(seeds):
    with pytest.raises(ValueError, match=r"different seeds: \['0', '1'\] and "):
        compare_arms({seed: result(40.) for seed in ('0', '1')}, {seed: result(41.) for seed in seeds})


def test_pair_with_a_diverged_run_is_excluded():
    diverged_seeds = dict(protocols={}, diverged=dict(iteration=9))
    baseline = {'0': result(90.0, sky=1.0), '1': diverged_seeds, '2': result(80.0, sky=2.0)}
    arm = {'0': diverged_seeds, '1': diverged_seeds, '2': result(83.0, sky=4.0)}
    found = compare_arms(baseline, arm)
    assert (found['seeds'], found['diverged']) == ([2], dict(baseline=[1], arm=[0, 1]))
    assert (found['measures']['single']['by_seed'], found['classes']['sky']['by_seed']) == ([3.0], [2.0])
    assert compare_arms({'1': diverged_seeds}, {'1': diverged_seeds})['measures'] == {}
    assert measures(diverged_seeds) == {}
