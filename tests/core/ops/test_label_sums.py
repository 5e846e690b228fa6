"""Sums over the pixels of each class equal a loop over pixels for any number of slices."""
import pytest
import torch
from torch.testing import assert_close

from isda_seg.core.ops import label_sums as module
from isda_seg.core.ops.label_sums import label_sums


# Of none, less than a slice, whole slices of 8 and of another size, and slices with a rest.
@pytest.mark.parametrize('pixels', [0, 5, 24, 33, 37])
@pytest.mark.parametrize('size', [8, 1024])
def test_sliced_sums_equal_a_loop_over_pixels(pixels, size, monkeypatch):
    monkeypatch.setattr(module, 'SLICE', size)
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(3, 4, pixels, dtype=torch.float64, generator=generator)
    index = torch.randint(4, (3, pixels), generator=generator)  # of two classes, 2 and 3 are no class
    expected = torch.zeros(2, 4, dtype=torch.float64)
    for image in range(3):
        for pixel, label in enumerate(index[image].tolist()):
            if label < 2:
                expected[label] += 0.5 * values[image, :, pixel]
    assert_close(label_sums(values, index, 2, 0.5), expected)
    assert_close(label_sums(values.flip(2), index.flip(1), 2, 0.5), expected)
    assert_close(label_sums(values.mT.contiguous().mT, index, 2, 0.5), expected)


def test_an_empty_batch_has_sum_zero():
    assert_close(label_sums(torch.zeros(0, 4, 700), torch.zeros(0, 700).long(), 2), torch.zeros(2, 4))


def test_slices_divide_the_image_if_a_near_size_does():
    assert module.slice_size(769 * 769, 512) == 769
    assert module.slice_size(512 * 512, 600) == 1024
    assert module.slice_size(8191, 512) == 512  # a prime
