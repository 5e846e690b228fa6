"""Laws of the sigmoid ramp."""
import math

import pytest

from isda_seg.semi.ramp import sigmoid_ramp


def test_it_grows_from_exp_minus_5_to_1_as_a_gaussian():
    assert [sigmoid_ramp(epoch, 80) for epoch in (0, 40, 60, 80, 300)] == [
        math.exp(-5), math.exp(-1.25), math.exp(-0.3125), 1.0, 1.0]


def test_no_ramp_is_1_from_the_start():
    assert sigmoid_ramp(0, 0) == sigmoid_ramp(7.5, 0) == 1.0


@pytest.mark.parametrize('epoch, length', [(-1, 80), (1, -80)])
def test_nothing_negative(epoch, length):
    with pytest.raises(ValueError, match=f'at least 0, got {epoch} and {length}'):
        sigmoid_ramp(epoch, length)
