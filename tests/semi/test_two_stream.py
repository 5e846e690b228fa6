"""Two streams: pairs of a labelled image and an unlabelled image without its label, and their order."""
from collections import Counter

import numpy as np
import pytest
import torch
from helpers import tiny_images
from helpers.sampler_epochs import sampler_epochs
from mmengine.dataset import DefaultSampler, default_collate, sampler
from mmengine.registry import DATASETS

from isda_seg.runtime.reproducible import Position, PositionSampler, PositionSeededDataset
from isda_seg.semi import HeldOutLabelsDataset, TwoStreamDataset, TwoStreamSampler

CROPPED = [dict(type='RandomReflectCrop', padding=2), dict(type='RandomFlip', prob=0.5), dict(type='PackImages')]
PACKED = [dict(type='PackImages')]


@pytest.fixture
def images(tmp_path):
    """The config of 100 images in 10 classes."""
    return dict(type='CIFARDataset', data_root=str(tiny_images.write_cifar(tmp_path)))


def plain(images):
    """The same images, packed."""
    return DATASETS.build(dict(images, pipeline=PACKED))


def test_an_item_is_a_labelled_image_and_views_of_an_unlabelled_one(images):
    dataset, expected = TwoStreamDataset(images, num_labels=20, pipeline=PACKED, views=2), plain(images)
    item = dataset[17, 42]
    assert (set(item), set(item['unlabelled'])) == ({'inputs', 'labels', 'unlabelled'}, {'views', 'index'})
    assert torch.equal(item['inputs'], expected[42]['inputs'])
    assert (item['labels'], item['unlabelled']['index']) == (2, 17)
    assert [torch.equal(view, expected[17]['inputs']) for view in item['unlabelled']['views']] == [True, True]


def test_all_images_are_unlabelled_and_the_labelled_ones_are_balanced(images):
    dataset = TwoStreamDataset(images, num_labels=20, pipeline=PACKED)
    assert (len(dataset), len(dataset.labelled_indices)) == (100, 20)
    labels = [dataset.get_cat_ids(index)[0] for index in dataset.labelled_indices]
    assert np.bincount(labels).tolist() == [2] * 10
    assert dataset.metainfo['classes'][3] == 'class 3'


def test_other_seeds_label_other_images(images):
    chosen = [TwoStreamDataset(images, num_labels=20, label_seed=seed).labelled_indices.tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


def test_views_and_labelled_image_are_augmented_independently(images):
    dataset = TwoStreamDataset(images, num_labels=20, pipeline=CROPPED, views=3)
    np.random.seed(0)
    items = [dataset[5, 5] for _ in range(20)]
    together = {tuple(one.numpy().tobytes() for one in (item['inputs'], *item['unlabelled']['views']))
                for item in items}
    assert sum(len(set(item)) == 1 for item in together) == 0
    assert len({one for item in together for one in item}) > 25  # of 50 windows


def test_further_views_do_not_change_the_first_images(images):
    one, two = (PositionSeededDataset(TwoStreamDataset(images, num_labels=20, pipeline=CROPPED, views=views))
                for views in (1, 2))
    for position in range(10):
        first, second = (dataset[Position(0, position, (3, 7))] for dataset in (one, two))
        assert torch.equal(first['inputs'], second['inputs'])
        assert torch.equal(first['unlabelled']['views'][0], second['unlabelled']['views'][0])


def test_default_collate_stacks_every_view(images):
    dataset = TwoStreamDataset(images, num_labels=20, pipeline=PACKED, views=2)
    batch = default_collate([dataset[index, 99 - index] for index in range(4)])
    views, index = batch['unlabelled']['views'], batch['unlabelled']['index']
    assert [tuple(view.shape) for view in views] == [(4, 3, 32, 32)] * 2
    assert (index.dtype, index.tolist()) == (torch.int64, [0, 1, 2, 3])
    assert batch['labels'].tolist() == [9, 8, 7, 6]
    assert torch.equal(views[1][2], plain(images)[2]['inputs'])


def test_held_out_labels_are_excluded_from_training(images):
    keys = dict(num_labels=40, label_seed=3, held_out=0.25, held_out_seed=5)
    every = TwoStreamDataset(images, num_labels=40, label_seed=3)
    dataset, held = TwoStreamDataset(images, **keys), HeldOutLabelsDataset(images, pipeline=PACKED, **keys)
    assert sorted([*dataset.labelled_indices, *held.indices]) == every.labelled_indices.tolist()
    assert (len(dataset.labelled_indices), len(held), len(dataset)) == (30, 10, 100)
    assert sorted(held.get_cat_ids(index)[0] for index in range(10)) == list(range(10))


def test_held_out_items_are_test_items(images):
    held, expected = HeldOutLabelsDataset(images, num_labels=40, held_out=0.25, pipeline=PACKED), plain(images)
    for place, index in enumerate(held.indices):
        assert (set(held[place]), held[place]['labels']) == ({'inputs', 'labels'}, expected[index]['labels'])
        assert torch.equal(held[place]['inputs'], expected[index]['inputs'])


def test_no_held_out_labels_is_an_error(images):
    with pytest.raises(ValueError, match='held_out=0 holds out no labels. Set it between 0 and 1'):
        HeldOutLabelsDataset(images, num_labels=40, held_out=0)


@pytest.mark.parametrize('num_labels', [9, 101])
def test_labels_that_cannot_be_chosen_are_an_error(images, num_labels):
    with pytest.raises(ValueError, match=f'cannot choose {num_labels} labels of 100 training images in 10 classes'):
        TwoStreamDataset(images, num_labels=num_labels)


class Empty(list):
    metainfo = dict(classes=('a', 'b'))


def test_no_images_or_no_views_is_an_error(images):
    for dataset, views, count in ((Empty(), 1, 0), (images, 0, 100)):
        with pytest.raises(ValueError, match='needs unlabelled images and views >= 1, got '
                                             f'{count} images and views={views}'):
            TwoStreamDataset(dataset, num_labels=20, views=views)


def test_a_pipeline_inside_is_an_error(images):
    with pytest.raises(ValueError, match='the CIFARDataset inside a TwoStreamDataset has a pipeline, which'):
        TwoStreamDataset(dict(images, pipeline=PACKED), num_labels=20)


class Two:
    """20 unlabelled images, six of them labelled."""

    def __init__(self, count=20):
        self.count, self.labelled_indices = count, np.array([1, 3, 4, 11, 17, 18])

    def __len__(self):
        return self.count


@pytest.fixture
def epochs(monkeypatch):
    """epochs(number, ranks=2, ...): for each epoch the pairs of each rank."""
    def build(number, ranks=1, count=20, seed=0):
        return sampler_epochs(monkeypatch, sampler, lambda: TwoStreamSampler(Two(count), seed=seed),
                              number, ranks)
    return build


def interleaved(ranks):
    """The pairs of an epoch in the order of their positions."""
    longest = max(map(len, ranks))
    return [pairs[step] for step in range(longest) for pairs in ranks if step < len(pairs)]


def test_epoch_is_one_pass_in_the_order_of_default_sampler(epochs):
    for epoch, (pairs,) in enumerate(epochs(3)):
        expected = DefaultSampler(Two(), seed=0)
        expected.set_epoch(epoch)
        assert [unlabelled for unlabelled, _ in pairs] == list(expected)
        assert sorted(unlabelled for unlabelled, _ in pairs) == list(range(20))


@pytest.mark.parametrize('ranks', [1, 2, 3])
def test_labelled_images_come_in_complete_shuffled_passes(epochs, ranks):
    labelled = [pair[1] for epoch in epochs(6, ranks) for pair in interleaved(epoch)]
    passes = [labelled[start:start + 6] for start in range(0, len(labelled) - 5, 6)]
    assert len(passes) == (6 * (21 if ranks == 3 else 20)) // 6
    assert {tuple(sorted(one)) for one in passes} == {(1, 3, 4, 11, 17, 18)}
    assert len({tuple(one) for one in passes}) > 15
    counts = Counter(labelled).values()
    assert max(counts) - min(counts) <= 1


def test_ranks_share_one_sequence(epochs):
    for one, two in zip(epochs(4), epochs(4, ranks=2), strict=True):
        assert interleaved(two) == one[0]


def test_ranks_have_equally_many_pairs(epochs):
    assert [len(pairs) for pairs in epochs(1, ranks=3)[0]] == [7, 7, 7]


def test_resumed_sampler_continues_the_sequence(epochs):
    through = epochs(5)
    fresh = TwoStreamSampler(Two(), seed=0)
    fresh.set_epoch(3)
    assert list(fresh) == list(fresh) == through[3][0] != through[2][0]


def test_seeds_pair_differently(epochs):
    assert epochs(1, seed=0) == epochs(1, seed=0) != epochs(1, seed=1)


def test_pairing_is_stable_across_versions(epochs):
    labelled = [labelled for _, labelled in epochs(1)[0][0]]
    assert labelled[:12] == [11, 18, 17, 1, 4, 3, 1, 18, 3, 11, 4, 17]


def test_positions_carry_the_pairs_unchanged(epochs):
    positions = PositionSampler(Two(), dict(type='TwoStreamSampler'), seed=5)
    positions.set_epoch(2)
    found = list(positions)
    assert [one.index for one in found] == epochs(3, seed=5)[2][0]
    assert [one.position for one in found] == list(range(40, 60))
    assert len(positions) == 20


def test_fewer_unlabelled_images_than_ranks_are_an_error(epochs):
    with pytest.raises(ValueError, match='cannot distribute 2 unlabelled images over 3 ranks'):
        epochs(1, ranks=3, count=2)


def test_another_dataset_is_an_error():
    with pytest.raises(ValueError, match='TwoStreamSampler needs a TwoStreamDataset, got list'):
        TwoStreamSampler([1, 2, 3], seed=0)
