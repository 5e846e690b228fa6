"""Alternating timing, quartiles and scaling exponents."""
import pytest

from isda_seg.paper.cost.growth import AXES, BASE, enlarged, exponent
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import alternate, differences, quartiles, relative


def test_functions_alternate_and_warm_up_rounds_do_not_count():
    called = []
    functions = {name: lambda name=name: called.append(name) for name in 'ABC'}
    clock = iter(range(100))

    def seconds(function):
        function()
        return float(next(clock))

    samples = alternate(functions, 2, seconds, warm_up=1)
    assert called == list('ABC' * 3)
    assert samples == {'A': [3, 6], 'B': [4, 7], 'C': [5, 8]}
    with pytest.raises(ValueError, match='rounds must be at least 1, got 0'):
        alternate(functions, 0, seconds)


def test_quartiles_equal_known_values():
    assert quartiles([9, 1, 3, 5, 7]) == dict(median=5, low=3, high=7)
    assert quartiles([4]) == dict(median=4, low=4, high=4)


def test_differences_are_computed_within_a_round():
    plain, isda = [1.0, 2.0, 4.0], [1.5, 2.5, 3.0]
    assert differences(isda, plain) == [0.5, 0.5, -1.0]
    assert relative(isda, plain) == [0.5, 0.25, -0.25]


@pytest.mark.parametrize('power', [0, 1, 1.5, 2])
def test_exponent_of_a_power_law_is_its_power(power):
    sizes = [5, 10, 20, 40]
    assert exponent(sizes, [3 * size ** power for size in sizes]) == pytest.approx(power, abs=1e-9)


def test_non_positive_costs_have_no_exponent():
    assert exponent([1, 2, 4], [1, -1, 2]) is None
    assert exponent([1, 2], [0, 0]) is None


@pytest.mark.parametrize('axis', AXES)
def test_enlarged_workload_changes_only_its_axis(axis):
    before, after = ({'N': work.samples, 'C': work.classes, 'A': work.features[1]}
                     for work in (BASE, enlarged(BASE, axis, 2)))
    assert after == dict(before, **{axis: 2 * before[axis]})
    assert enlarged(BASE, axis, 2).logits_bytes == (1 if axis == 'A' else 2) * BASE.logits_bytes


def test_meter_calls_once_and_measures_peak_bytes():
    import torch
    meter, called = Meter('cpu'), []
    assert meter.seconds(lambda: called.append(1)) >= 0
    assert called == [1]
    assert meter.peak_bytes(lambda: torch.empty(1 << 20, dtype=torch.uint8)) == pytest.approx(1 << 20, rel=0.01)


@pytest.mark.skipif('__import__("torch").cuda.is_available()', reason='a GPU answers')
def test_missing_gpu_is_an_error():
    with pytest.raises(ValueError, match='PyTorch found no GPU. Use --device cpu'):
        Meter('cuda')
