"""Visualisations show image, ground truth and prediction in palette colours."""
import numpy as np

from isda_seg.runtime.pictures import chosen
from isda_seg.segmentation.pictures import HEADER, paint, side_by_side

PALETTE = [[255, 0, 0], [0, 255, 0]]


def test_requested_number_of_images_is_evenly_spaced():
    assert [i for i in range(100) if chosen(i, 100, 4)] == [24, 49, 74, 99]
    assert [i for i in range(3) if chosen(i, 3, 8)] == [0, 1, 2]
    assert [i for i in range(5) if chosen(i, 5, None)] == [0, 1, 2, 3, 4]
    assert [i for i in range(5) if chosen(i, 5, 0)] == []


def test_labels_have_palette_colours_in_bgr_and_void_is_black():
    painted = paint(np.array([[0, 1, 255]]), PALETTE)
    assert painted.tolist() == [[[0, 0, 255], [0, 255, 0], [0, 0, 0]]]


def test_three_panels_are_side_by_side_below_captions():
    image = np.full((60, 100, 3), 9, np.uint8)
    truth, predicted = np.zeros((60, 100), int), np.ones((60, 100), int)
    picture = side_by_side(image, truth, predicted, PALETTE)
    assert picture.shape == (60 + HEADER, 300, 3)
    assert [picture[HEADER, x].tolist() for x in (0, 100, 200)] == [[9, 9, 9], [0, 0, 255], [0, 255, 0]]
    without = side_by_side(image, None, predicted, PALETTE)
    assert (without.shape, without[HEADER, 100].tolist()) == ((60 + HEADER, 200, 3), [0, 255, 0])
    assert picture[:HEADER].min() < 100 < picture[:HEADER].max()  # dark letters on white
