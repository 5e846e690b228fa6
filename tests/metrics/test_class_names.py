"""Classes with one name keep separate entries in results."""
import pytest
from mmengine.registry import Registry

from isda_seg.metrics.class_names import check_classes, unique_names


def test_different_names_are_unchanged_and_equal_ones_are_numbered():
    assert unique_names(('road', 'car')) == ['road', 'car']
    assert unique_names(('car', 'road', 'car')) == ['car (class 0)', 'road', 'car (class 2)']


def test_names_are_always_different():
    found = unique_names(['car', 'car', 'car (class 0)'])
    assert found == ['car (class 0)', 'car (class 1)', 'car (class 0) (class 2)']


@pytest.mark.parametrize('classes, works', [(('water',), True), (['a', 'b'], True), (None, True), ('water', False)])
def test_a_missing_comma_after_the_only_class_is_an_error(classes, works):
    registry = Registry('dataset of a test')

    @registry.register_module()
    class Own:
        METAINFO = dict(classes=classes)

    for dataset in (dict(type='Own'), dict(type=Own), dict(type='Other', metainfo=dict(classes=classes))):
        if works:
            assert check_classes(dataset, registry) is None
            continue
        with pytest.raises(ValueError, match=r"are the string 'water' instead of .* Write classes=\('water',\)"):
            check_classes(dataset, registry)
