"""Chosen labels: balanced, reproducible, never both trained on and held out."""
import numpy as np
import pytest

from isda_seg.classification import CIFARDataset
from isda_seg.classification.data.held_out_images import held_out_mask
from isda_seg.semi.label_split import choose_labels, hold_out_labels
from isda_seg.semi.wrapped_dataset import labels_of

LABELS = np.repeat(np.arange(10), 50)[np.random.RandomState(7).permutation(500)]


def per_class(labels, indices):
    return np.bincount(labels[indices], minlength=labels.max() + 1).tolist()


@pytest.mark.filterwarnings('ignore:.*not the official archive')
def test_labels_of_the_subset_are_balanced(data_folder):
    labels = labels_of(CIFARDataset(str(data_folder('cifar10'))))
    chosen = choose_labels(labels, 1000, seed=0)
    kept, held = hold_out_labels(labels, chosen, 0.25, seed=0)
    assert per_class(labels, chosen) == [100] * 10
    assert (per_class(labels, kept), per_class(labels, held)) == ([75] * 10, [25] * 10)


def test_labels_of_imbalanced_data_are_balanced():
    labels = np.repeat([0, 1, 2], [10, 100, 890])
    assert per_class(labels, choose_labels(labels, 30, seed=3)) == [10, 10, 10]
    assert per_class(labels, choose_labels(labels, 90, seed=3)) == [10, 40, 40]


def test_choice_for_balanced_data_equals_the_held_out_images():
    for count in (10, 13, 100, 499):
        assert np.array_equal(choose_labels(LABELS, count, 5), np.flatnonzero(held_out_mask(LABELS, count, 5)))


def test_remainder_goes_to_the_first_classes():
    assert per_class(LABELS, choose_labels(LABELS, 23, seed=0)) == [3] * 3 + [2] * 7


def test_all_labels_can_be_chosen():
    assert choose_labels(LABELS, 500, seed=0).tolist() == list(range(500))


def test_choice_depends_only_on_the_seed_and_is_stable():
    first = choose_labels(LABELS, 50, seed=1)
    np.random.seed(99)
    assert np.array_equal(first, choose_labels(LABELS, 50, seed=1))
    assert not np.array_equal(first, choose_labels(LABELS, 50, seed=2))
    assert choose_labels(np.arange(20) % 2, 4, seed=0).tolist() == [1, 8, 18, 19]


@pytest.mark.parametrize('count', [0, 9, 501])
def test_more_labels_than_images_or_fewer_than_classes_are_an_error(count):
    with pytest.raises(ValueError, match=f'cannot choose {count} labels of 500 training images in 10 classes. Set '
                                         'num_labels to a number from 10 to 500'):
        choose_labels(LABELS, count, seed=0)


def test_held_out_and_kept_labels_together_are_the_chosen_ones():
    chosen = choose_labels(LABELS, 100, seed=0)
    kept, held = hold_out_labels(LABELS, chosen, 0.25, seed=4)
    assert sorted([*kept, *held]) == chosen.tolist()
    assert (len(kept), len(held)) == (75, 25)
    assert not np.array_equal(held, hold_out_labels(LABELS, chosen, 0.25, seed=5)[1])


def test_nothing_held_out_keeps_all():
    kept, held = hold_out_labels(LABELS, np.arange(10), 0, seed=0)
    assert (kept.tolist(), held.tolist()) == (list(range(10)), [])


@pytest.mark.parametrize('share', [-0.1, 1, 1.5])
def test_a_share_outside_0_to_1_is_an_error(share):
    with pytest.raises(ValueError, match=rf'held_out must be in \[0, 1\), got {share}'):
        hold_out_labels(LABELS, np.arange(100), share, seed=0)


@pytest.mark.parametrize('count, share, held, bare', [(10, 0.25, 2, 2), (10, 0.04, 0, 0), (20, 0.99, 20, 10)])
def test_a_class_left_without_a_label_or_nothing_held_out_is_an_error(count, share, held, bare):
    with pytest.raises(ValueError, match=f'held_out={share} of {count} labels gives {held} held-out labels and '
                                         f'{bare} classes without a training label'):
        hold_out_labels(LABELS, choose_labels(LABELS, count, 0), share, seed=0)
