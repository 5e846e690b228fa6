"""What a state dict covers of a network, and in which words it is said."""
import pytest
import torch

pytestmark = pytest.mark.ops

WANTED = {'conv1.weight': torch.zeros(2), 'bn1.weight': torch.zeros(2), 'bn1.num_batches_tracked': torch.zeros(())}


@pytest.fixture
def coverage():
    from isda_seg.detection.coverage import coverage
    return coverage


def test_the_same_names_and_shapes_cover_all(coverage):
    found = coverage(WANTED, {key: torch.ones_like(value) for key, value in WANTED.items()})
    assert (found.full, str(found)) == (True, '2 of 2 tensors covered')


def test_a_count_of_batches_may_be_missing_and_parts_of_other_networks_may_be_more(coverage):
    found = coverage(WANTED, {'conv1.weight': torch.ones(2), 'bn1.weight': torch.ones(2), 'fc.weight': torch.ones(9)})
    assert (found.full, found.covered, found.total) == (True, 2, 2)


def test_everything_that_does_not_fit_is_said(coverage):
    found = coverage(WANTED, {'conv1.weight': torch.ones(3), 'bn1.scale': torch.ones(2)})
    assert found.full is False
    assert str(found) == ('0 of 2 tensors covered; missing: bn1.weight; unexpected: bn1.scale; '
                          'of another shape: conv1.weight (3,) instead of (2,)')


def test_long_lists_are_cut(coverage):
    found = coverage({f'layer.{number}': torch.zeros(1) for number in range(8)}, {})
    assert str(found).partition('missing: ')[2] == 'layer.0, layer.1, layer.2, layer.3, layer.4 and 3 more'


def test_names_of_a_whole_detector_are_had_without_its_weights():
    import tiny_coco
    from mmengine.config import Config

    from isda_seg.detection.coverage import state_of
    state = state_of(Config.fromfile(tiny_coco.SMALL).model)
    assert {value.device.type for value in state.values()} == {'meta'}
    assert {key.split('.')[0] for key in state} == {'backbone', 'neck', 'rpn_head', 'roi_head'}
