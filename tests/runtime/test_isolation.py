"""Context managers restore random states and running statistics, also after an error."""
import random

import numpy as np
import pytest
import torch
from helpers.tiny_semi import Backbone, Linear, images
from torch.nn.functional import batch_norm
from torch.testing import assert_close

from isda_seg.runtime.isolation import frozen_running_stats, random_states_kept, same_random_numbers


def drawn():
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize('error', [None, KeyError])
def test_random_states_are_restored(error):
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    expected = drawn()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    try:
        with random_states_kept():
            aside = drawn()
            if error:
                raise error
    except KeyError:
        pass
    assert aside == expected
    assert drawn() == expected


def test_repeated_passes_use_the_same_random_numbers_and_restore_the_state():
    torch.manual_seed(3)
    again = same_random_numbers(torch.device('cpu'))
    first, later = torch.rand(4), torch.rand(4)
    before = torch.get_rng_state()
    for _ in range(2):
        with again():
            assert torch.equal(torch.rand(4), first)
        assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(torch.rand(4), later)


def test_norms_use_the_batch_without_updating_running_statistics():
    network = Backbone(dropout=0.0).train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    with frozen_running_stats(network):
        found, = network(5 + images())
    expected = batch_norm(network.conv(5 + images()), None, None, network.norm.weight, network.norm.bias, True).relu()
    assert_close(found, expected)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    network(images())
    assert int(network.norm.num_batches_tracked) == 1


def test_norms_update_again_after_an_error():
    network = Backbone()
    with pytest.raises(RuntimeError, match='in between'), frozen_running_stats(network):
        raise RuntimeError('in between')
    assert network.norm.track_running_stats is True


def test_any_function_of_images_may_be_a_network():
    with frozen_running_stats(Linear().forward):
        assert Linear()(images()).shape == (6, 4)
