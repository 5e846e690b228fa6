"""A patch shows the cell that its feature describes."""

import numpy as np
import pytest

from isda_seg.attachment.label_grid import pixel_of
from isda_seg.paper.visualisation.patches import patch_of


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize(('size', 'grid'), [((96, 128), (12, 16)), ((45, 61), (12, 16)), ((20, 20), (20, 20))])
def test_cell_is_centred_on_the_pixel_of_the_label(size, grid, align_corners):
    image = np.stack([*np.mgrid[:size[0], :size[1]], np.zeros(size)], axis=2).astype(np.uint8)
    for sample in range(grid[0] * grid[1]):
        patch = patch_of(image, grid, sample, align_corners)
        left, top, width, height = patch.cell
        row, column = (pixel_of(i, small, large, align_corners)
                       for i, small, large in zip(divmod(sample, grid[1]), grid, size, strict=True))
        origin = patch.pixels[0, 0]
        middle = origin[0] + top + height / 2, origin[1] + left + width / 2
        assert patch.pixel == (column, row)
        assert abs(middle[0] - row - 0.5) <= 0.5
        assert abs(middle[1] - column - 0.5) <= 0.5
        assert (width, height) == (size[1] / grid[1], size[0] / grid[0])
        assert patch.pixels.shape[0] == patch.pixels.shape[1] >= 8 * max(width, height) - 0.5


def test_pooled_feature_shows_the_whole_image():
    image = np.zeros((32, 24, 3), np.uint8)
    assert patch_of(image, (), 0).pixels.shape == (32, 24, 3)
    assert patch_of(image, (), 0)[1:] == (None, None)
