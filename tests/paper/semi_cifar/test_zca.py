"""ZCA: numpy reference, unit covariance, one file per set of images, whose dataset is whitened once."""
import numpy as np
import pytest
import torch
from helpers import tiny_images

from isda_seg.classification import CIFARDataset
from isda_seg.paper.semi_cifar import WhitenedDataset
from isda_seg.paper.semi_cifar import zca as module
from isda_seg.paper.semi_cifar.zca import ZCA, fitted, images_of


@pytest.fixture(scope='module')
def images():
    """2,500 made-up images of 4 x 4 pixels that vary along 48 directions by 40 grey levels down to 0.2."""
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(48, 48)))[0]
    images = 128 + rng.normal(size=(2500, 48)) * np.linspace(40, 0.2, 48) @ directions
    return images.round().clip(0, 255).astype(np.uint8).reshape(-1, 4, 4, 3)


def by_hand(images, eps):
    """Eigenvalues, eigenvectors and whitened images (N, D), in float64."""
    flat = images.reshape(len(images), -1).astype(np.float64) / 255
    centred = flat - flat.mean(axis=0)
    vectors, values, _ = np.linalg.svd(centred.T @ centred / len(flat))
    return values, vectors, centred @ vectors @ np.diag(1 / np.sqrt(values + eps)) @ vectors.T


@pytest.mark.parametrize('eps', [1e-5, 1e-1])
def test_zca_equals_the_formula_with_eps_inside_the_square_root(images, eps):
    whitened = ZCA.fit(images, eps).apply(images)
    assert (whitened.shape, whitened.dtype) == (images.shape, np.float32)
    np.testing.assert_allclose(whitened.reshape(len(images), -1), by_hand(images, eps)[2], atol=1e-3, rtol=1e-3)


def test_covariance_is_the_identity_for_large_eigenvalues(images):
    values, vectors, _ = by_hand(images, 1e-5)
    flat = ZCA.fit(images).apply(images).reshape(len(images), -1).astype(np.float64)
    covariance = vectors.T @ np.cov(flat.T, bias=True) @ vectors
    large = values > 1000 * 1e-5
    assert large.sum() > 10
    np.testing.assert_allclose(covariance[np.ix_(large, large)], np.eye(large.sum()), atol=2e-3)
    np.testing.assert_allclose(np.diag(covariance), values / (values + 1e-5), atol=2e-3)
    assert values[-1] < 1e-5 and covariance[-1, -1] < 0.5
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-3)


@pytest.mark.filterwarnings('ignore:.*not the official archive')
def test_real_images_become_white(data_folder):
    small = np.ascontiguousarray(images_of(CIFARDataset(str(data_folder('cifar10')), indices=3000))[:, ::4, ::4])
    flat = ZCA.fit(small).apply(small).reshape(3000, -1).astype(np.float64)
    np.testing.assert_allclose(np.cov(flat.T, bias=True), np.eye(192), atol=0.05)


def test_other_images_use_the_fitted_mean_and_matrix(images):
    zca = ZCA.fit(images[:2000])
    both = zca.apply(images)
    np.testing.assert_allclose(zca.apply(images[2000:]), both[2000:], atol=1e-4)
    np.testing.assert_allclose(both[:2000].mean(axis=0), 0, atol=1e-3)
    assert np.abs(both[2000:].mean(axis=0)).max() > 0.01


def test_zca_is_equivariant_to_reordering(images):
    planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(ZCA.fit(planes).apply(planes), ZCA.fit(images).apply(images).transpose(0, 3, 1, 2),
                               atol=2e-3)


@pytest.mark.parametrize('chunk', [7, 2500, 10000])
def test_chunks_of_any_size_give_the_same(images, chunk, monkeypatch):
    expected = ZCA.fit(images).apply(images)
    monkeypatch.setattr(module, 'CHUNK', chunk)
    np.testing.assert_allclose(ZCA.fit(images).apply(images), expected, atol=2e-3)


def test_a_file_gives_the_same_bits_and_is_not_fitted_again(images, tmp_path, monkeypatch):
    path = tmp_path / 'zca' / 'images.npz'
    first = fitted(images, path=path)
    monkeypatch.setattr(ZCA, 'fit', lambda *_: pytest.fail('fitted again'))
    second = fitted(images, path=path)
    assert first.apply(images).tobytes() == second.apply(images).tobytes()
    assert (second.eps, second.fingerprint) == (1e-5, first.fingerprint)
    assert [entry.name for entry in path.parent.iterdir()] == ['images.npz']


def test_a_file_of_other_images_or_another_eps_is_refused_with_its_name(images, tmp_path):
    path = tmp_path / 'zca.npz'
    fitted(images, path=path)
    with pytest.raises(ValueError, match=f'{path} contains a ZCA fitted with other images. Delete it'):
        fitted(images[1:], path=path)
    with pytest.raises(ValueError, match=f'{path} contains a ZCA fitted with eps = 1e-05, not 0.1. Delete it'):
        fitted(images, eps=0.1, path=path)


@pytest.mark.parametrize('damage', [lambda raw: raw[:100], lambda raw: b'', lambda raw: b'no zip' * 50,
                                    lambda raw: raw[:3000] + bytes(9) + raw[3009:]])
def test_a_damaged_file_is_named(images, tmp_path, damage):
    path = tmp_path / 'zca.npz'
    fitted(images, path=path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=f'{path} is damaged or not a ZCA file .*Remove it to create it again'):
        fitted(images, path=path)


def test_without_eps_it_is_refused(images):
    with pytest.raises(ValueError, match='ZCA needs eps > 0, got 0'):
        ZCA.fit(images, eps=0)


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
    assert (len(module._images), len(module._transforms)) == (0, 0)


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
