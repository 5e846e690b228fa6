"""StandardizeImage: mean 0 and root mean square 1 for every image."""
import numpy as np

from isda_seg.paper.semi_cifar import StandardizeImage


def test_every_image_gets_mean_0_and_rms_1_over_all_its_values():
    rng = np.random.default_rng(0)
    for low, high in ((0, 256), (100, 110), (255, 256)):
        image = rng.integers(low, high, size=(32, 32, 3), dtype=np.uint8)
        image[0, 0, 0] = 0
        found = StandardizeImage()(dict(img=image))['img']
        values = image.astype(np.float64)
        expected = (values - values.mean()) / values.std()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert found.dtype == np.float32


def test_result_is_invariant_to_brightness_and_contrast():
    image = np.random.default_rng(1).integers(100, size=(8, 8, 3), dtype=np.uint8)
    first, second = (StandardizeImage()(dict(img=one))['img'] for one in (image, 2 * image + 30))
    np.testing.assert_allclose(first, second, atol=1e-5)


def test_constant_image_becomes_0():
    assert np.array_equal(StandardizeImage()(dict(img=np.full((4, 4, 3), 9, np.uint8)))['img'], np.zeros((4, 4, 3)))
