"""Every pass contains all images once; the image at a position depends only on stream and position."""
import numpy as np

from isda_seg.classification.data.endless_passes import endless_passes

IMAGES = np.array([3, 5, 8, 9])


def test_each_pass_is_a_different_permutation():
    found = endless_passes(IMAGES, np.arange(40), (0, 1)).reshape(10, 4)
    assert (np.sort(found, axis=1) == IMAGES).all()
    assert len({tuple(one) for one in found}) > 5
    assert found[2].tolist() == np.random.RandomState([0, 1, 2]).permutation(IMAGES).tolist()


def test_queries_in_parts_return_the_same_images():
    whole = endless_passes(IMAGES, np.arange(20), (7,))
    parts = [endless_passes(IMAGES, np.arange(20)[first::3], (7,)) for first in range(3)]
    assert all((part == whole[first::3]).all() for first, part in enumerate(parts))
    assert not (whole == endless_passes(IMAGES, np.arange(20), (8,))).all()
