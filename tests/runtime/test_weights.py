"""What a state dict covers of a network, and in which words it is said."""
import torch

from isda_seg.runtime.weights import coverage

WANTED = {'conv1.weight': torch.zeros(2), 'bn1.weight': torch.zeros(2), 'bn1.num_batches_tracked': torch.zeros(())}


def test_the_same_names_and_shapes_cover_all():
    found = coverage(WANTED, {key: torch.ones_like(value) for key, value in WANTED.items()})
    assert (found.full, str(found)) == (True, '2 of 2 tensors covered')


def test_a_count_of_batches_may_be_missing_and_parts_of_other_networks_may_be_more():
    found = coverage(WANTED, {'conv1.weight': torch.ones(2), 'bn1.weight': torch.ones(2), 'fc.weight': torch.ones(9)})
    assert (found.full, found.covered, found.total) == (True, 2, 2)


def test_everything_that_does_not_fit_is_said():
    found = coverage(WANTED, {'conv1.weight': torch.ones(3), 'bn1.scale': torch.ones(2)})
    assert found.full is False
    assert str(found) == ('0 of 2 tensors covered; missing: bn1.weight; unexpected: bn1.scale; '
                          'wrong shape: conv1.weight (3,) instead of (2,)')


def test_long_lists_are_cut():
    found = coverage({f'layer.{number}': torch.zeros(1) for number in range(8)}, {})
    assert str(found).partition('missing: ')[2] == 'layer.0, layer.1, layer.2, layer.3, layer.4 and 3 more'
