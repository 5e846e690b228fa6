"""Held-out images: requested number, stratified by class, reproducible."""
import numpy as np
import pytest

from isda_seg.classification.data.held_out_images import held_out_mask

LABELS = np.repeat(np.arange(10), 50)


def test_held_out_images_are_stratified_by_class():
    assert np.bincount(LABELS[held_out_mask(LABELS, 50, seed=0)]).tolist() == [5] * 10
    uneven = np.repeat([0, 1, 2], [10, 100, 890])
    assert np.bincount(uneven[held_out_mask(uneven, 100, seed=3)]).tolist() == [1, 10, 89]


def test_any_number_between_one_and_all_but_one_can_be_held_out():
    assert [int(held_out_mask(LABELS, count, 0).sum()) for count in (1, 7, 249, 499)] == [1, 7, 249, 499]


def test_choice_depends_only_on_the_seed():
    first = held_out_mask(LABELS, 50, seed=1)
    np.random.seed(99)
    assert np.array_equal(first, held_out_mask(LABELS, 50, seed=1))
    assert not np.array_equal(first, held_out_mask(LABELS, 50, seed=2))


def test_choice_is_stable_across_versions():
    assert np.flatnonzero(held_out_mask(np.arange(20) % 2, 4, seed=0)).tolist() == [1, 8, 18, 19]


@pytest.mark.parametrize('count', [0, 500, 5000])
def test_holding_out_nothing_or_everything_is_an_error(count):
    with pytest.raises(ValueError, match=f'cannot hold out {count} of 500 training images. .* from 1 to 499'):
        held_out_mask(LABELS, count, seed=0)
