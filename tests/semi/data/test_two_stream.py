"""TwoStreamDataset: pairs of a labelled image and an unlabelled image without its label."""
import numpy as np
import pytest
import torch
from helpers import tiny_images
from mmengine.dataset import default_collate
from mmengine.registry import DATASETS

from isda_seg.runtime.reproducible import Position, PositionSeededDataset
from isda_seg.semi import HeldOutLabelsDataset, TwoStreamDataset

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
