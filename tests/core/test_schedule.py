"""Properties of the ramp lambda = (t / T) lambda_0 (below Eq. 4)."""

import pytest
import reference

from isda_seg.core import linear_ramp


@pytest.mark.parametrize('final', [7.5, 0.5, 0.1, 1 / 3, 0.0])
@pytest.mark.parametrize('total', [1, 3, 7, 49, 40_000])
def test_the_last_step_gives_exactly_the_final_value(total, final):
    assert linear_ramp(total, total, final) == final


def test_step_zero_gives_zero():
    assert linear_ramp(0, 40_000, 7.5) == 0.0


@pytest.mark.parametrize('step', [1, 10, 333, 999, 1000, 1001, 5000])
def test_the_ramp_is_the_fraction_of_steps_done(step):
    assert linear_ramp(step, 1000, 7.5) == pytest.approx(reference.linear_ramp(step, 1000, 7.5), rel=1e-14)


def test_the_first_step_of_forty_thousand_is_one_part_of_forty_thousand():
    assert linear_ramp(1, 40_000, 7.5) == pytest.approx(7.5 / 40_000, rel=1e-14)


def test_the_ramp_stays_at_the_final_value_beyond_the_end():
    assert [linear_ramp(step, 10, 7.5) for step in (10, 11, 1_000_000)] == [7.5, 7.5, 7.5]


def test_the_ramp_never_falls():
    values = [linear_ramp(step, 37, 0.7) for step in range(45)]
    assert values == sorted(values)


def test_the_value_is_a_plain_float():
    assert [type(linear_ramp(step, 4, 1)) for step in (0, 1, 4, 5)] == [float] * 4


@pytest.mark.parametrize('total', [0, -1])
def test_a_total_without_steps_is_an_error_that_names_it(total):
    with pytest.raises(ValueError, match=str(total)):
        linear_ramp(1, total, 7.5)
