"""Visualised images are evenly spaced."""
import pytest

pytestmark = pytest.mark.mmdet


@pytest.mark.parametrize('images, most, expected', [(100, 4, [24, 49, 74, 99]), (3, 8, [0, 1, 2]),
                                                    (3, None, [0, 1, 2]), (5, 0, [])])
def test_chosen_images_are_evenly_spaced(images, most, expected):
    from isda_seg.runtime.pictures import chosen
    assert [index for index in range(images) if chosen(index, images, most)] == expected
