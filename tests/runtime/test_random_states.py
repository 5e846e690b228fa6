"""What is drawn aside leaves no trace, whatever ends it."""
import random

import numpy as np
import pytest
import torch

from isda_seg.runtime.random_states import random_states_kept


def drawn():
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize('error', [None, KeyError])
def test_the_next_numbers_are_those_that_would_have_come(error):
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
