"""Laws of further passes: the same random numbers, and no trace in running statistics."""
import pytest
import torch
from helpers.tiny_semi import Backbone, Linear, images
from torch.nn.functional import batch_norm
from torch.testing import assert_close

from isda_seg.semi.untraced_forward import frozen_running_stats, same_random_numbers


def test_every_repetition_draws_what_the_first_pass_draws_and_leaves_the_state_it_found():
    torch.manual_seed(3)
    again = same_random_numbers(torch.device('cpu'))
    first, later = torch.rand(4), torch.rand(4)
    before = torch.get_rng_state()
    for _ in range(2):
        with again():
            assert torch.equal(torch.rand(4), first)
        assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(torch.rand(4), later)


def test_norms_use_the_batch_and_remember_nothing():
    network = Backbone(dropout=0.0).train()
    state = {key: value.clone() for key, value in network.state_dict().items()}
    with frozen_running_stats(network):
        found, = network(5 + images())
    expected = batch_norm(network.conv(5 + images()), None, None, network.norm.weight, network.norm.bias, True).relu()
    assert_close(found, expected)
    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())
    network(images())
    assert int(network.norm.num_batches_tracked) == 1


def test_norms_learn_again_after_an_error():
    network = Backbone()
    with pytest.raises(RuntimeError, match='in between'), frozen_running_stats(network):
        raise RuntimeError('in between')
    assert network.norm.track_running_stats is True


def test_any_function_of_images_may_be_a_network():
    with frozen_running_stats(Linear().forward):
        assert Linear()(images()).shape == (6, 4)
