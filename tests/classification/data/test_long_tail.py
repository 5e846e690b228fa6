"""Long-tailed training images: the documented profile, reproducible."""
import numpy as np
import pytest
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import Config
from mmengine.registry import DATASETS

from isda_seg.classification import CIFARDataset
from isda_seg.classification.data.long_tail import long_tail_counts, long_tail_mask

LABELS = np.random.RandomState(7).permutation(np.repeat(np.arange(10), 50))


@pytest.mark.parametrize('imbalance, expected', [  # of the long-tailed CIFAR-10 that others report, 20,431 and 12,406
    (10, [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]),
    (100, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]), (1, [5000] * 10)])
def test_counts_are_those_of_published_long_tails(imbalance, expected):
    assert long_tail_counts(10, imbalance, 5000).tolist() == expected


@exhaustive('imbalance, expected, held_out', [
    (10, [500, 387, 299, 232, 179, 139, 107, 83, 64, 50], [123, 95, 73, 57, 44, 34, 26, 20, 16, 12]),
    (100, [800, 479, 287, 172, 103, 61, 37, 22, 13, 8], [202, 121, 73, 43, 26, 15, 9, 6, 3, 2])])
@pytest.mark.filterwarnings('ignore:.*not the official archive')
def test_splits_of_the_miniature_configs_are_long_tailed_and_disjoint(data_folder, imbalance, expected, held_out):
    data_folder('cifar10')
    cfg = Config.fromfile(tiny.ROOT / 'configs' / 'miniature' / f'resnet8_cifar10-lt{imbalance}.py')
    data = {split: DATASETS.build(dict(cfg.train_dataloader.dataset, split=split, holdout=500))
            for split in ('train', 'train_rest', 'held_out')}
    data['test'] = DATASETS.build(cfg.test_dataloader.dataset)
    labels = {split: [dataset.get_cat_ids(index)[0] for index in range(len(dataset))]
              for split, dataset in data.items()}
    assert {split: np.bincount(found).tolist() for split, found in labels.items()} == dict(
        train=expected, held_out=held_out, test=[200] * 10,
        train_rest=[whole - part for whole, part in zip(expected, held_out, strict=True)])
    images = {split: [dataset.get_data_info(index)['img'].tobytes() for index in range(len(dataset))]
              for split, dataset in data.items()}
    assert sorted(images['train_rest'] + images['held_out']) == sorted(images['train'])


def test_sample_depends_only_on_the_seed_and_is_nested():
    few, many = (long_tail_mask(LABELS, 10, 10, n_max, seed=1) for n_max in (20, 50))
    np.random.seed(99)
    assert np.array_equal(few, long_tail_mask(LABELS, 10, 10, 20, seed=1))
    assert np.bincount(LABELS[few]).tolist() == long_tail_counts(10, 10, 20).tolist()
    assert not (few & ~many).any() and few.sum() < many.sum()
    assert not np.array_equal(few, long_tail_mask(LABELS, 10, 10, 20, seed=2))


def test_sample_is_stable_across_versions():
    assert np.flatnonzero(long_tail_mask(np.arange(20) % 2, 2, 4, 4, seed=0)).tolist() == [1, 6, 8, 10, 18]


def test_default_n_max_is_the_size_of_the_smallest_class():
    labels = np.repeat([0, 1, 2], [40, 30, 20])
    assert np.bincount(labels[long_tail_mask(labels, 3, 4, None, seed=0)]).tolist() == [20, 10, 5]


@pytest.mark.parametrize('imbalance, n_max, message', [
    (0.5, 50, 'imbalance must be a finite number >= 1 and needs at least two classes, got 0.5'),
    (float('nan'), 50, 'imbalance must be a finite number >= 1'),
    (float('inf'), 50, 'imbalance must be a finite number >= 1'),
    (100, 50, 'imbalance=100 with n_max=50 leaves the last class without images. Set n_max to 100 or more'),
    (1, 51, 'needs 51 images of class 0, but the training data has 50. Set a smaller n_max')])
def test_profile_with_too_many_images_is_an_error(imbalance, n_max, message):
    with pytest.raises(ValueError, match=message):
        long_tail_mask(LABELS, 10, imbalance, n_max, seed=0)


def test_n_max_without_imbalance_is_an_error(write_cifar):
    with pytest.raises(ValueError, match='n_max=5 has no effect without imbalance'):
        CIFARDataset(str(write_cifar()), n_max=5)
