"""Chosen labels: balanced, reproducible, never both trained on and held out."""
import json

import numpy as np
import pytest

from isda_seg.classification import CIFARDataset
from isda_seg.classification.data.held_out_images import held_out_mask
from isda_seg.semi.data.label_split import choose_labels, hold_out_labels, split_labels
from isda_seg.semi.data.wrapped_dataset import labels_of

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


@pytest.fixture
def split(tmp_path):
    """A split file, and the indices that were written to it."""
    path = tmp_path / 'new' / 'split.json'
    kept, _ = split_labels(LABELS, 20, label_seed=1, split_file=path)
    return path, kept


def test_split_file_is_written_once_and_then_read(split):
    path, kept = split
    assert [entry.name for entry in path.parent.iterdir()] == ['split.json']
    content = json.loads(path.read_text())
    assert content['indices'] == kept.tolist() == choose_labels(LABELS, 20, 1).tolist()
    others = np.flatnonzero(~np.isin(np.arange(500), kept))
    own = np.sort(others[choose_labels(LABELS[others], 20, 0)])
    path.write_text(json.dumps(dict(content, indices=own.tolist(), seed=1)))
    assert split_labels(LABELS, 20, label_seed=1, split_file=path)[0].tolist() == own.tolist()


def test_a_split_made_by_hand_needs_no_seed(split):
    path, kept = split
    content = json.loads(path.read_text())
    del content['seed']
    path.write_text(json.dumps(content))
    assert split_labels(LABELS, 20, label_seed=9, split_file=path)[0].tolist() == kept.tolist()


def of_one_class(content):
    return dict(content, indices=np.flatnonzero(LABELS == 3)[:20].tolist())


@pytest.mark.parametrize('change, words', [
    (lambda content: dict(content, indices=content['indices'][:-1]), 'lists 19 different images in 19 ent'),
    (lambda content: dict(content, indices=[*content['indices'][:-1], content['indices'][0]]), 'lists 19 .* in 20 ent'),
    (lambda content: dict(content, indices=[*content['indices'][:-1], 500]), 'lists images from .* to 500, but'),
    (lambda content: dict(content, indices=[-1, *content['indices'][1:]]), 'lists images from -1 to'),
    (lambda content: dict(content, fingerprint='0'), 'was created for other training images'),
    (lambda content: dict(content, seed=2), 'was created with seed 2, but label_seed is 1'),
    (of_one_class, r'has no label for the classes \[0, 1, 2, 4, 5, 6, 7, 8, 9\]'),
    (lambda content: dict(indices=content['indices']), 'is not a label split .*fingerprint'),
    (lambda content: [1, 2], 'is not a label split'),
    (lambda content: dict(content, indices='x'), 'is not a label split')])
def test_a_split_file_that_does_not_fit_is_named_with_what_to_do(split, change, words):
    path, _ = split
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(ValueError, match=f'{path} {words}.*Remove it to create it again'):
        split_labels(LABELS, 20, label_seed=1, split_file=path)


def test_a_truncated_split_file_is_named(split):
    path, _ = split
    path.write_text(path.read_text()[:30])
    with pytest.raises(ValueError, match=f'{path} is not a label split'):
        split_labels(LABELS, 20, label_seed=1, split_file=path)
