"""Extra costs, computed with a known clock."""
import pytest
import torch

from isda_seg.paper.cost.compare import compare_losses, extra_cost
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.profile import COMPONENTS, profile
from isda_seg.paper.cost.workload import IGNORED, SIZES, TOY_SIZES, cut_slice, make_tensors

PIXELS, FULL = TOY_SIZES[0], TOY_SIZES[-1]


class KnownMeter:
    """Function number i of a round takes ``seconds[i]`` and ``peaks[i]``."""

    device, on_gpu = torch.device('cpu'), False

    def __init__(self, seconds, peaks):
        self.times, self.peaks, self.calls, self.memory_calls = seconds, peaks, 0, 0

    def seconds(self, function):
        function()
        self.calls += 1
        return self.times[(self.calls - 1) % len(self.times)]

    def peak_bytes(self, function):
        self.memory_calls += 1
        return self.peaks[self.memory_calls - 1]


def test_costs_equal_those_of_a_known_clock():
    meter = KnownMeter([2.0, 3.0, 2.5, 42.0], [1000, 1100, 1200, 9000])  # plain, label, feature, literal
    found = compare_losses(PIXELS, meter, 3, 1e9, bandwidth=100.0)
    label, feature = found['rows']
    assert [row['resolution'] for row in found['rows']] == ['label', 'feature']
    assert label['extra'] == dict(seconds=dict(median=1, low=1, high=1), share=dict(median=0.5, low=0.5, high=0.5),
                                  bytes=100)
    assert feature['extra']['bytes'] == 200
    assert label['of_logits'] == 100 / (4 * 5 * 2 * 65 * 65)
    assert found['literal_extra'] == dict(slice=1, seconds=dict(median=40, low=40, high=40), bytes=8000)
    assert (label['literal_times'], feature['literal_times']) == (40, 80)
    assert found['floor']['bytes'] == 4 * (2 * 16 * 9 * 9 + 2 * 2 * 5 * 65 * 65)
    assert found['floor']['seconds'] * label['over_floor'] == pytest.approx(1)
    assert found['measured']['isda label']['samples'] == [3.0] * 3


def test_large_literal_form_is_measured_on_a_slice():
    meter = KnownMeter([2.0, 3.0, 2.5, 0.5, 10.5], [1000, 1100, 1200, 300, 1300])
    found = compare_losses(PIXELS, meter, 2, PIXELS.literal_bytes / 3, bandwidth=100.0)
    assert found['literal_extra'] == dict(slice=1 / 3, seconds=dict(median=30, low=30, high=30), bytes=3000)
    assert found['rows'][0]['literal_times'] == 30


@pytest.mark.parametrize('workload', TOY_SIZES, ids=lambda workload: workload.name)
def test_slice_has_the_first_rows_and_the_exact_factor(workload):
    tensors = make_tensors(workload, torch.device('cpu'))
    slice_tensors, times = cut_slice(tensors, 4)
    assert times == tensors.features.numel() / slice_tensors.features.numel() >= 4
    assert torch.equal(slice_tensors.logits, tensors.logits[:len(slice_tensors.logits)] if not workload.pixels else
                       tensors.logits[:, :, :slice_tensors.logits.shape[2]])
    assert slice_tensors.labels.shape == slice_tensors.logits.shape[:1] + slice_tensors.logits.shape[2:]
    assert cut_slice(tensors, 1)[0] is tensors


def test_extra_cost_is_the_median_of_paired_differences():
    isda, plain = dict(samples=[2.0, 6.0, 4.0], peak_bytes=7), dict(samples=[1.0, 2.0, 4.0], peak_bytes=10)
    extra = extra_cost(isda, plain)
    assert (extra['seconds']['median'], extra['share']['median'], extra['bytes']) == (1.0, 1.0, -3)


def test_rest_is_the_time_that_the_components_do_not_explain():
    # plain, isda, statistics, table, Eq. 7 (table, addition and cross-entropy), the literal form's two halves
    found = profile(FULL, KnownMeter([1.0, 11.0, 5.0, 2.0, 4.5, 20.0, 30.0], []), 2)
    assert {name: seconds['median'] for name, seconds in found['pieces'].items()} == {
        'statistics': 5.0, 'table': 2.0, 'addition': 1.5, 'literal statistics': 20.0,
        'literal loss with cross-entropy': 30.0}
    assert (found['extra']['median'], found['rest']) == (10.0, 1.5)
    assert list(profile(PIXELS, KnownMeter([1.0] * 5, []), 1)['pieces']) == list(COMPONENTS)


def test_bandwidth_counts_reading_and_writing():
    assert Meter.bandwidth(KnownMeter([0.5], []), 4096) == 2 * 4096 / 0.5


def test_label_maps_have_constant_blocks_and_ignored_pixels():
    sizes = [workload for workload in SIZES if workload.pixels]
    assert [workload.least_bytes for workload in sizes] == [
        *2 * [4 * (2 * 512 * 97 ** 2 + 2 * 2 * 19 * 769 ** 2)], 4 * (4 * 512 * 64 ** 2 + 2 * 4 * 150 * 512 ** 2)]
    labels = make_tensors(PIXELS, torch.device('cpu')).labels
    assert (labels[:, :, 1:] != labels[:, :, :-1]).float().mean() < 0.2
    assert 0.03 < (labels == IGNORED).float().mean() < 0.2
    assert set(labels.unique().tolist()) == {IGNORED, *range(PIXELS.classes)}
