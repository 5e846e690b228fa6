"""ZCA: numpy reference, unit covariance, one file per set of images."""
import numpy as np
import pytest

from isda_seg.classification import CIFARDataset
from isda_seg.paper.semi_cifar import zca as module
from isda_seg.paper.semi_cifar.whitened import images_of
from isda_seg.paper.semi_cifar.zca import ZCA, fitted


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
