"""RandAugment and AutoAugment: operations equal PIL's and are sampled per image as in the papers."""
from collections import Counter

import mmcv
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from isda_seg.paper import policies
from isda_seg.paper.policies import OPERATIONS, AutoAugment, RandAugment

SIGNED = ('rotate', 'color', 'contrast', 'brightness', 'sharpness', 'shear_x', 'shear_y', 'translate_x', 'translate_y')


@pytest.fixture
def image():
    """A smooth picture with some noise, (32, 32, 3) BGR."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(30, 220, size=(5, 5, 3), dtype=np.uint8)
    noise = rng.integers(-8, 9, size=(32, 32, 3))
    return (mmcv.imresize(coarse, (32, 32)).astype(int) + noise).clip(0, 255).astype(np.uint8)


@pytest.fixture(autouse=True)
def seeded():
    np.random.seed(0)


def pil(image):
    return Image.fromarray(image[..., ::-1])


def bgr(picture):
    return np.asarray(picture)[..., ::-1].astype(int)


def affine(*matrix):
    return lambda picture: picture.transform(picture.size, Image.AFFINE, matrix, fillcolor=(128,) * 3)


# At strength 0.5 and a positive sign: the operation in PIL's words.
ORACLES = {
    'identity': lambda picture: picture,
    'auto_contrast': ImageOps.autocontrast,
    'equalize': ImageOps.equalize,
    'invert': ImageOps.invert,
    'rotate': lambda picture: picture.rotate(-15, fillcolor=(128,) * 3),
    'posterize': lambda picture: ImageOps.posterize(picture, 6),
    'solarize': lambda picture: ImageOps.solarize(picture, 128),
    'color': lambda picture: ImageEnhance.Color(picture).enhance(1.45),
    'contrast': lambda picture: ImageEnhance.Contrast(picture).enhance(1.45),
    'brightness': lambda picture: ImageEnhance.Brightness(picture).enhance(1.45),
    'sharpness': lambda picture: ImageEnhance.Sharpness(picture).enhance(1.45),
    'shear_x': affine(1, -0.15, 0, 0, 1, 0),
    'shear_y': affine(1, 0, 0, -0.15, 1, 0),
    'translate_x': affine(1, 0, -7, 0, 1, 0),       # 32 * 150 / 331 / 2 = 7.25
    'translate_y': affine(1, 0, 0, 0, 1, -7),
}


@pytest.mark.parametrize('name', OPERATIONS)
def test_every_operation_equals_pil(name, image, monkeypatch):
    monkeypatch.setattr(policies, 'signed', lambda strength: strength)
    found, expected = OPERATIONS[name](image, 0.5), bgr(ORACLES[name](pil(image)))
    assert (found.dtype, found.shape) == (np.uint8, (32, 32, 3))
    difference = abs(found - expected).max(-1)
    if name == 'sharpness':     # PIL leaves the border as it is
        difference = difference[1:-1, 1:-1]
    warped = name in ('rotate', 'shear_x', 'shear_y')   # half a pixel's coordinate apart: some take another neighbour
    assert (difference > 2).mean() < (0.12 if warped else 1e-9)


@pytest.mark.parametrize('name', SIGNED)
def test_strength_zero_changes_nothing(name, image):
    assert abs(OPERATIONS[name](image, 0.0).astype(int) - image).max() <= 1


def test_posterize_and_solarize_at_strengths_0_and_1(image):
    assert np.array_equal(OPERATIONS['posterize'](image, 0), image)
    assert np.array_equal(OPERATIONS['solarize'](image, 0), image)
    assert np.array_equal(OPERATIONS['posterize'](image, 1), image & 0xF0)
    assert np.array_equal(OPERATIONS['solarize'](image, 1), 255 - image)


@pytest.mark.parametrize('name', SIGNED)
def test_signed_operations_have_both_signs(name, image):
    outcomes = Counter(OPERATIONS[name](image, 0.6).tobytes() for _ in range(200))
    assert len(outcomes) == 2
    assert min(outcomes.values()) > 60


def test_pixels_from_outside_are_grey(image):
    corner = OPERATIONS['translate_x'](image, 1.0)
    grey = (corner == 128).all(-1)
    assert int(grey.all(0).sum()) == 15     # round(32 * 150 / 331)


@pytest.fixture
def calls(monkeypatch):
    """The (operation, strength) of every call, in place of the operations."""
    record = []
    fakes = {name: lambda img, strength, name=name: record.append((name, round(strength, 4))) or img
             for name in OPERATIONS}
    monkeypatch.setattr(policies, 'OPERATIONS', fakes)
    return record


def test_rand_augment_samples_n_of_14_operations_with_replacement(image, calls):
    for _ in range(700):
        RandAugment(n=2, m=9)(dict(img=image))
    names = Counter(name for name, _ in calls)
    assert (len(calls), len(names), {strength for _, strength in calls}) == (1400, 14, {0.3})
    assert 'invert' not in names
    assert 60 < min(names.values()) and max(names.values()) < 145
    assert 20 < sum(first == second for first, second in zip(calls[::2], calls[1::2], strict=True)) < 85


def test_auto_augment_samples_25_pairs_with_their_probabilities(image, calls):
    for _ in range(5000):
        AutoAugment()(dict(img=image))
    assert len(policies.POLICY) == 25
    expected = Counter()
    for name, probability, *magnitude in (operation for pair in policies.POLICY for operation in pair):
        expected[name, round(sum(magnitude) / 9, 4)] += 200 * probability
    found = Counter(calls)
    assert set(found) == {key for key, count in expected.items() if count}
    assert all(abs(found[key] - count) < 5 * count ** 0.5 + 5 for key, count in expected.items())


@pytest.mark.parametrize('policy', [RandAugment(n=2, m=14), AutoAugment()])
def test_images_get_different_operations_that_depend_on_the_seed(policy, image):
    batch = [policy(dict(img=image))['img'].tobytes() for _ in range(32)]
    np.random.seed(0)
    assert batch == [policy(dict(img=image))['img'].tobytes() for _ in range(32)]
    assert len(set(batch)) > 16


@pytest.mark.parametrize('n, m', [(-1, 5), (2, 31), (2, -1)])
def test_magnitude_out_of_range_is_an_error(n, m):
    with pytest.raises(ValueError, match=f'n >= 0 and m in 0..30, got n={n} and m={m}'):
        RandAugment(n=n, m=m)
