"""Classes with one name keep separate entries in results."""
from isda_seg.metrics.class_names import unique_names


def test_different_names_are_unchanged_and_equal_ones_are_numbered():
    assert unique_names(('road', 'car')) == ['road', 'car']
    assert unique_names(('car', 'road', 'car')) == ['car (class 0)', 'road', 'car (class 2)']


def test_names_are_always_different():
    found = unique_names(['car', 'car', 'car (class 0)'])
    assert found == ['car (class 0)', 'car (class 1)', 'car (class 0) (class 2)']
