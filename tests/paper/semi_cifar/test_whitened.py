"""WhitenedDataset: fitted once, whitened once, with a separate pipeline."""
import numpy as np
import pytest
import torch
from helpers import tiny_images

from isda_seg.classification import CIFARDataset
from isda_seg.paper.semi_cifar import WhitenedDataset, whitened
from isda_seg.paper.semi_cifar.zca import ZCA

PACKED = [dict(type='PackImages')]


class Corners:
    """2 x 2 pixels of the images of another dataset: their ZCA is found in no time."""

    def __init__(self, dataset, size=2):
        self.dataset, self.size, self.metainfo = dataset, size, dataset.metainfo

    def get_data_info(self, index):
        entry = self.dataset.get_data_info(index)
        return dict(entry, img=entry['img'][:self.size, :self.size])

    def get_cat_ids(self, index):
        return self.dataset.get_cat_ids(index)

    def full_init(self):
        self.dataset.full_init()

    def __len__(self):
        return len(self.dataset)


@pytest.fixture
def root(tmp_path):
    return str(tiny_images.write_cifar(tmp_path))


@pytest.fixture
def train(root):
    return Corners(CIFARDataset(root))


@pytest.fixture
def others(root):
    return Corners(CIFARDataset(root, split='test'))


def pixels(dataset):
    return np.stack([dataset.get_data_info(index)['img'] for index in range(len(dataset))])


def test_images_are_those_that_zca_gives_with_their_labels(train):
    dataset = WhitenedDataset(train)
    assert np.array_equal(pixels(dataset), ZCA.fit(pixels(train)).apply(pixels(train)))
    assert [dataset.get_data_info(index)['gt_label'] for index in range(100)] == [*range(10)] * 10
    assert (len(dataset), dataset.metainfo['classes'], dataset.get_cat_ids(13)) == (100, train.metainfo['classes'], [3])


def test_test_images_are_whitened_as_the_training_images_are(train, others, tmp_path):
    dataset = WhitenedDataset(others, fit_on=train, file=tmp_path / 'zca.npz')
    expected = ZCA.fit(pixels(train)).apply(pixels(others))
    assert np.array_equal(pixels(dataset), expected)
    assert np.array_equal(pixels(WhitenedDataset(others, fit_on=train, file=tmp_path / 'zca.npz')), expected)


def test_two_datasets_of_the_same_images_share_memory_and_one_fit(train, others, tmp_path, monkeypatch):
    fits = []
    fit = ZCA.fit.__func__
    monkeypatch.setattr(ZCA, 'fit', classmethod(lambda cls, *args: fits.append(1) or fit(cls, *args)))
    datasets = [WhitenedDataset(train), WhitenedDataset(others, fit_on=train),
                WhitenedDataset(others, fit_on=train)]
    for dataset in datasets:
        dataset.full_init()
    assert len(fits) == 1
    assert datasets[1].images is datasets[2].images
    del datasets, dataset
    assert (len(whitened._images), len(whitened._transforms)) == (0, 0)


def test_labels_are_available_before_whitening(train):
    dataset = WhitenedDataset(train)
    assert ([dataset.get_cat_ids(index) for index in (0, 11)], dataset.images) == ([[0], [1]], None)
    dataset.full_init()
    assert dataset.images.shape == (100, 2, 2, 3)


def test_items_pass_the_pipeline_as_float32(train):
    item = WhitenedDataset(train, pipeline=PACKED)[7]
    assert np.array_equal(item['inputs'].numpy(), pixels(WhitenedDataset(train))[7].transpose(2, 0, 1))
    assert (item['inputs'].dtype, item['labels']) == (torch.float32, 7)


def test_in_place_transform_does_not_change_stored_images(train):
    dataset = WhitenedDataset(train)
    before = dataset.get_data_info(3)['img'].copy()
    dataset.get_data_info(3)['img'][:] = 0
    assert np.array_equal(dataset.get_data_info(3)['img'], before)


def test_crops_and_flips_of_whitened_images_are_windows_of_them(train):
    from isda_seg.semi.wrapped_dataset import Compose
    image = np.random.default_rng(0).normal(size=(32, 32, 3)).astype(np.float32)
    crop = Compose([dict(type='RandomReflectCrop', size=32, padding=2), dict(type='RandomFlip', prob=0.5)])
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode='reflect')
    windows = [padded[y:y + 32, x:x + 32] for y in range(5) for x in range(5)]
    expected = {one.tobytes() for window in windows for one in (window, window[:, ::-1])}
    np.random.seed(0)
    found = {crop(dict(img=image))['img'].tobytes() for _ in range(600)}
    assert (len(expected), found) == (50, expected)


def test_pipeline_of_the_inner_dataset_is_an_error(root):
    with pytest.raises(ValueError, match='the CIFARDataset inside a WhitenedDataset has a pipeline, which would '
                                         'never run. Move it to the WhitenedDataset'):
        WhitenedDataset(dict(type='CIFARDataset', data_root=root, pipeline=PACKED))


class OnDisk(Corners):
    def get_data_info(self, index):
        return dict(img_path=f'{index}.png', gt_label=0)


class OfTwoSizes(Corners):
    def get_data_info(self, index):
        return dict(img=np.zeros((2 + index % 2, 2, 3), np.uint8), gt_label=0)


@pytest.mark.parametrize('kind, count', [(OnDisk, 1), (OfTwoSizes, 2)])
def test_images_on_disk_or_of_two_sizes_cannot_be_whitened(train, kind, count):
    with pytest.raises(ValueError, match=f'needs at least one image, and all as uint8 arrays of one size, .*; '
                                         f'{kind.__name__} has 100 images of {count} kinds'):
        WhitenedDataset(kind(train.dataset)).full_init()
