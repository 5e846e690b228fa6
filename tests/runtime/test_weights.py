"""Coverage of a network by a state dict, and its description."""
import torch

from isda_seg.runtime.weights import coverage, weights_in

WANTED = {'conv1.weight': torch.zeros(2), 'bn1.weight': torch.zeros(2), 'bn1.num_batches_tracked': torch.zeros(())}


def test_equal_names_and_shapes_are_full_coverage():
    found = coverage(WANTED, {key: torch.ones_like(value) for key, value in WANTED.items()})
    assert (found.full, str(found)) == (True, '2 of 2 tensors covered')


def test_batch_counts_may_be_missing_and_other_modules_are_ignored():
    found = coverage(WANTED, {'conv1.weight': torch.ones(2), 'bn1.weight': torch.ones(2), 'fc.weight': torch.ones(9)})
    assert (found.full, found.covered, found.total) == (True, 2, 2)


def test_missing_unexpected_and_reshaped_weights_are_reported():
    found = coverage(WANTED, {'conv1.weight': torch.ones(3), 'bn1.scale': torch.ones(2)})
    assert found.full is False
    assert str(found) == ('0 of 2 tensors covered; missing: bn1.weight; unexpected: bn1.scale; '
                          'wrong shape: conv1.weight (3,) instead of (2,)')


def test_weights_lose_the_prefix_of_data_parallel():
    state = {'module.fc.weight': 1, 'backbone.module.weight': 2}
    found = {'fc.weight': 1, 'backbone.module.weight': 2}
    assert weights_in(dict(state_dict=state, meta={})) == weights_in(state) == found


def test_long_lists_are_truncated():
    found = coverage({f'layer.{number}': torch.zeros(1) for number in range(8)}, {})
    assert str(found).partition('missing: ')[2] == 'layer.0, layer.1, layer.2, layer.3, layer.4 and 3 more'
