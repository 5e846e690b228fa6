"""Classes with one name keep separate entries in results."""
import pytest

from isda_seg.metrics.class_names import check_class_names, unique_names


def test_different_names_are_unchanged_and_equal_ones_are_numbered():
    assert unique_names(('road', 'car')) == ['road', 'car']
    assert unique_names(('car', 'road', 'car')) == ['car (class 0)', 'road', 'car (class 2)']


def test_names_are_always_different():
    found = unique_names(['car', 'car', 'car (class 0)'])
    assert found == ['car (class 0)', 'car (class 1)', 'car (class 0) (class 2)']


@pytest.mark.parametrize('classes, works', [(('water',), True), (['a', 'b'], True), (None, True), ('water', False)])
def test_a_missing_comma_after_the_only_class_is_an_error(classes, works):
    class Own:
        METAINFO = dict(classes=classes)

    for dataset, kind in ((dict(type='Own'), Own), (dict(type='Other', metainfo=dict(classes=classes)), None)):
        if works:
            assert check_class_names(dataset, kind) is None
            continue
        with pytest.raises(ValueError, match=r"are the string 'water', which is neither .* write classes=\('water',\)"):
            check_class_names(dataset, kind)
