"""Properties of ClassStatistics: running moments as buffers, on one process and on two ranks."""

import numpy as np
import pytest
import reference
import torch
from helpers import state_invariants
from helpers.exhaustive import any_ignore_index, any_number_of_classes, exhaustive
from helpers.problems import KINDS
from helpers.state_invariants import assert_same_bits, everything
from helpers.state_invariants import saved as state
from helpers.two_ranks import two_ranks
from torch.testing import assert_close

from isda_seg.core import ClassMoments, ClassStatistics, class_moments, merge
from isda_seg.core import ranks as ranks_module
from isda_seg.core.ops import class_matrices, device
from isda_seg.core.ranks import SampleGathering

CLASSES, CHANNELS, IGNORE = 4, 5, 255
BUFFERS = ('count', 'mean', 'covariance')


def batch(samples=60, channels=CHANNELS, num_classes=CLASSES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator) / channels ** 0.5
    features = torch.randn(samples, channels, generator=generator) @ mixing + 1
    return features, torch.randint(num_classes, (samples,), generator=generator)


def literal(features, labels, kind, num_classes=CLASSES, ignore_index=None):
    """The covariance buffer of the kind, from all the rows at once, by the oracle."""
    if kind == 'identity':
        return torch.ones(1, features.shape[1], dtype=torch.float64)
    full = reference.batch_moments(features, labels, num_classes, ignore_index)[2]
    if kind == 'shared':
        return reference.shared_covariance(features[labels != ignore_index] if ignore_index is not None else features)
    return full if kind == 'full' else reference.diagonal(full)


def observed(kind, *batches, ignore_index=None, num_classes=CLASSES, sync=True):
    statistics = ClassStatistics(num_classes, batches[0][0].shape[1], covariance=kind, sync=sync)
    for features, labels in batches:
        statistics.observe(features, labels, ignore_index=ignore_index)
    return statistics


def assert_close_state(actual, expected, **tolerance):
    assert torch.equal(actual['count'], expected['count'])
    assert_close(actual['mean'].double(), expected['mean'].double(), **tolerance)  # float64 in a state dict
    assert_close(actual['covariance'], expected['covariance'], **tolerance)


# -- what is observed --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_equals_the_oracle_on_all_rows(kind):
    features, labels = batch()
    statistics = observed(kind, *zip(features.split(13), labels.split(13), strict=True))
    count, mean, _ = reference.batch_moments(features, labels, CLASSES)
    assert torch.equal(statistics.count, count)
    assert_close(statistics.mean, mean, rtol=1e-5, atol=1e-6)
    assert_close(statistics.covariance, literal(features, labels, kind).float(), rtol=1e-5, atol=1e-6)


def test_shared_is_the_covariance_about_the_common_mean():
    features, labels = batch(samples=80)
    features = features + 3 * labels[:, None]  # distant classes, whose difference of means counts
    labels[::5] = IGNORE
    statistics = observed('shared', *zip(features.split(11), labels.split(11), strict=True), ignore_index=IGNORE)
    expected = np.cov(features[labels != IGNORE].double().numpy(), rowvar=False, bias=True)
    assert statistics.covariance.shape == (1, CHANNELS, CHANNELS)
    np.testing.assert_allclose(statistics.covariance[0].numpy(), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(('kind', 'shape'), [('diagonal', (CLASSES, CHANNELS)), ('identity', (1, CHANNELS)),
                                             ('full', (CLASSES, CHANNELS, CHANNELS)),
                                             ('shared', (1, CHANNELS, CHANNELS))])
def test_buffers_have_their_shapes_before_and_after(kind, shape):
    fresh, used = ClassStatistics(CLASSES, CHANNELS, covariance=kind), observed(kind, batch())
    for statistics in (fresh, used):
        assert (statistics.count.shape, statistics.covariance.shape) == ((CLASSES,), shape)
        assert [getattr(statistics, b).dtype for b in BUFFERS] == [torch.int64, torch.float64, torch.float32]
    start = torch.ones(shape) if kind == 'identity' else torch.zeros(shape)
    assert torch.equal(fresh.covariance, start)
    assert torch.equal(fresh.count, torch.zeros(CLASSES, dtype=torch.int64))


def test_the_default_is_diagonal():
    assert_same_bits(state(ClassStatistics(CLASSES, CHANNELS)), state(ClassStatistics(CLASSES, CHANNELS, 'diagonal')))


def test_diagonal_is_the_diagonal_of_full():
    features, labels = batch()
    one, two = (observed(k, *zip(features.split(13), labels.split(13), strict=True)) for k in ('diagonal', 'full'))
    assert_close(one.covariance, two.covariance.diagonal(dim1=1, dim2=2), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('sizes', [[60], [1] * 60, [0, 60], [59, 1, 0], [7, 30, 23]])
def test_statistics_do_not_depend_on_the_split(kind, sizes):
    features, labels = batch()
    whole = observed(kind, (features, labels))
    parts = observed(kind, *zip(features.split(sizes), labels.split(sizes), strict=True))
    assert_close_state(state(parts), state(whole), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_statistics_do_not_depend_on_the_order(kind):
    features, labels = batch()
    order = torch.randperm(60, generator=torch.Generator().manual_seed(1))
    one = observed(kind, *zip(features.split(13), labels.split(13), strict=True))
    two = observed(kind, *zip(features[order].split(13), labels[order].split(13), strict=True))
    assert_close_state(state(two), state(one), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_features_around_1000_keep_a_correct_variance_over_many_steps(kind):
    features, labels = batch(samples=4000)
    features = features + 1000
    statistics = observed(kind, *zip(features.split(50), labels.split(50), strict=True))
    assert_close(statistics.covariance, literal(features, labels, kind).float(), rtol=1e-3, atol=1e-3)


@any_number_of_classes
@any_ignore_index
@pytest.mark.parametrize('kind', KINDS)
def test_ignored_rows_equal_removed_rows_for_any_number_of_classes(num_classes, ignore_index, kind):
    features, labels = batch(samples=90, channels=3, num_classes=num_classes)
    if ignore_index is not None:
        labels[::4] = ignore_index
        kept = labels != ignore_index
    else:
        kept = torch.ones(90, dtype=torch.bool)
    actual = observed(kind, (features, labels), ignore_index=ignore_index, num_classes=num_classes)
    removed = observed(kind, (features[kept], labels[kept]), num_classes=num_classes)
    assert_close_state(state(actual), state(removed), rtol=1e-6, atol=1e-6)
    if ignore_index in (0, 1):
        assert actual.count[ignore_index] == 0
        assert torch.equal(actual.mean[ignore_index], torch.zeros(3))


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_labelled_changes_nothing(kind):
    statistics = observed(kind, batch())
    before = state(statistics)
    statistics.observe(batch()[0], torch.full((60,), IGNORE), ignore_index=IGNORE)
    statistics.observe(torch.zeros(0, CHANNELS), torch.zeros(0, dtype=torch.int64))
    assert_same_bits(state(statistics), before)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('poisoned', [False, True])
def test_images_equal_their_pixels_as_rows(kind, poisoned):
    features, labels = batch(samples=2 * 5 * 6)
    labels[::7] = IGNORE
    if poisoned:
        features[10, 1] = float('nan')
    images = features.reshape(2, 5, 6, CHANNELS).permute(0, 3, 1, 2).contiguous()
    actual = observed(kind, (images, labels.reshape(2, 5, 6)), ignore_index=IGNORE)
    rows = observed(kind, (features, labels), ignore_index=IGNORE)
    assert_close_state(state(actual), state(rows), rtol=1e-5, atol=1e-6)


def test_classes_with_at_most_one_sample_have_covariance_zero():
    features = torch.tensor([[1.5, -3.25, 1e4, 0.0, 2.0]])
    for kind in ('diagonal', 'full'):
        statistics = observed(kind, (features, torch.tensor([1])))
        assert statistics.count.tolist() == [0, 1, 0, 0]
        assert torch.equal(statistics.mean[1], features[0])
        assert torch.equal(statistics.mean[[0, 2, 3]], torch.zeros(3, CHANNELS))
        assert torch.equal(statistics.covariance, torch.zeros_like(statistics.covariance))


def test_identity_has_ones_for_unseen_classes_too():
    statistics = ClassStatistics(CLASSES, CHANNELS, covariance='identity')
    for _ in range(2):
        assert torch.equal(statistics.covariance, torch.ones(1, CHANNELS))
        assert torch.equal(statistics.moments.covariance, torch.ones(1, CHANNELS))
        statistics.observe(torch.randn(6, CHANNELS), torch.tensor([0, 0, 1, 1, 1, 0]))
    assert statistics.count.tolist() == [6, 6, 0, 0]


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('poison', [float('nan'), float('inf'), float('-inf')])
def test_rows_with_a_non_finite_feature_equal_removed_rows(kind, poison):
    features, labels = batch()
    poisoned = features.clone()
    poisoned[4, 2] = poisoned[11, 0] = poisoned[30] = poison
    kept = torch.isfinite(poisoned).all(1)
    actual, removed = observed(kind, (poisoned, labels)), observed(kind, (features[kept], labels[kept]))
    assert int(actual.count.sum()) == 57
    assert_close_state(state(actual), state(removed), rtol=1e-6, atol=1e-6)
    before = state(actual)
    actual.observe(torch.full((60, CHANNELS), poison), labels)
    assert_same_bits(state(actual), before)
    actual.observe(*batch(seed=2))
    removed.observe(*batch(seed=2))
    assert_close_state(state(actual), state(removed), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_features_are_raised_to_float32(kind, dtype):
    features, labels = batch()
    low = features.to(dtype)
    assert_same_bits(state(observed(kind, (low, labels))), state(observed(kind, (low.float(), labels))))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('cpu_types', [('cpu',), ()])
def test_half_features_whose_sum_overflows_are_finite(kind, cpu_types, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', cpu_types)
    features, labels = 110 + torch.randn(32, 640, generator=torch.Generator().manual_seed(0)), torch.arange(32) % 4
    statistics = observed(kind, (features.half(), labels))
    assert (statistics.count.tolist(), int(statistics.dropped)) == ([8] * 4, 0)


@pytest.mark.parametrize('kind', KINDS)
def test_uint8_labels_are_compared_with_the_ignore_index_by_value(kind):
    features, labels = batch(num_classes=200)
    labels[0] = 156  # -100 as a uint8
    statistics = observed(kind, (features, labels.to(torch.uint8)), ignore_index=-100, num_classes=200)
    assert (int(statistics.dropped), int(statistics.count.sum()), int(statistics.count[156])) == (0, 60, 1)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('as_images', [False, True])
def test_an_accelerator_has_the_statistics_of_a_cpu(kind, as_images, monkeypatch):
    features, labels = batch(samples=120, num_classes=6)
    labels[::7] = IGNORE
    features[3, 1] = features[7] = float('nan')  # one labelled, one not
    if as_images:
        features, labels = features.reshape(2, 6, 10, CHANNELS).permute(0, 3, 1, 2), labels.reshape(2, 6, 10)
    pieces = list(zip(features.chunk(2), labels.chunk(2), strict=True))
    cpu = observed(kind, *pieces, ignore_index=IGNORE, num_classes=6)
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    for whole in (1, 1 << 26):
        monkeypatch.setattr(class_matrices, 'PRODUCT_ELEMENTS', whole)
        accelerator = observed(kind, *pieces, ignore_index=IGNORE, num_classes=6)
        assert_close_state(state(accelerator), state(cpu), rtol=1e-5, atol=1e-6)
        assert int(accelerator.dropped) == int(cpu.dropped) == 1


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
@pytest.mark.parametrize('num_classes', [6, 1000])
def test_a_batch_of_few_classes_equals_merging(kind, num_classes):
    parts = [batch(samples=n, seed=n, num_classes=num_classes) for n in (20, 9, 31)]
    statistics = observed(kind, *parts, num_classes=num_classes)
    merged = merge(*(class_moments(*part, num_classes, covariance=kind) for part in parts))
    assert_close_state(state(statistics), merged._asdict(), rtol=1e-5, atol=1e-6)
    assert type(statistics.moments) is ClassMoments
    absent = statistics.count == 0
    assert torch.equal(statistics.covariance[absent], torch.zeros_like(statistics.covariance[absent]))


@pytest.mark.parametrize('kind', KINDS)
def test_autocast_does_not_lower_the_statistics(kind):
    parts = batch(), batch(seed=1)
    plain = state(observed(kind, *parts))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert_same_bits(state(observed(kind, *parts)), plain)


@pytest.mark.parametrize('kind', KINDS)
def test_observing_leaves_no_graph_and_no_trace_in_the_features(kind):
    features, labels = batch()
    leaf = features.clone().requires_grad_()
    statistics = observed(kind, (leaf * 1.0, labels))
    assert [getattr(statistics, b).requires_grad for b in BUFFERS] == [False] * 3
    assert torch.equal(leaf, features) and leaf.grad is None
    assert list(statistics.parameters()) == []


# -- many steps --------------------------------------------------------------------------------------------------------

def many_steps(steps):
    """Batches of 8 samples of 3 classes: (steps, 8, A) and (steps, 8)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (steps, 8), generator=generator)
    return torch.randn(steps, 8, CHANNELS, generator=generator) + 3 + labels[..., None], labels


def assert_stays_beside_float64(actual, kind, steps):
    features, labels = (part.flatten(0, 1) for part in many_steps(steps))
    for c in range(3):
        own = features[labels == c].double().numpy()
        exact = np.cov(own, rowvar=False, bias=True)
        exact = np.diag(exact) if kind == 'diagonal' else exact
        assert int(actual['count'][c]) == len(own)
        assert np.abs(actual['mean'][c].numpy() - own.mean(axis=0)).max() <= 1e-5 * np.abs(own.mean(axis=0)).max()
        assert np.abs(actual['covariance'][c].numpy() - exact).max() <= 1e-5 * np.abs(exact).max()


@pytest.mark.exhaustive
@pytest.mark.parametrize('steps', [2_000, 20_000])
@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_many_steps_in_float32_stay_within_1e_5_of_float64(kind, steps):
    statistics = ClassStatistics(3, CHANNELS, kind)
    for features, labels in zip(*many_steps(steps), strict=True):
        statistics.observe(features, labels)
    assert_stays_beside_float64(state(statistics), kind, steps)


def drifting(steps, samples=16):
    """Batches of 2 classes whose mean moves slowly, far from zero: (steps, samples, 3) and (steps, samples)."""
    generator = torch.Generator().manual_seed(0)
    drift = 3e4 + 1e-2 * torch.arange(steps)
    labels = torch.randint(2, (steps, samples), generator=generator)
    return torch.randn(steps, samples, 3, generator=generator) + drift[:, None, None], labels


@pytest.mark.parametrize('cpu', [True, False])
@pytest.mark.parametrize('kind, samples', [('diagonal', 16), ('diagonal', 1), ('full', 16), ('shared', 16)])
def test_a_mean_that_moves_far_from_zero_keeps_a_correct_covariance(kind, samples, cpu, monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ('cpu',) if cpu else ())
    features, labels = drifting(300, samples)
    statistics = observed(kind, *zip(features, labels, strict=True), num_classes=2)
    features, labels = features.double().flatten(0, 1), labels.flatten()
    exact = literal(features, labels, kind, num_classes=2)
    assert float((statistics.covariance - exact).abs().max() / exact.abs().max()) < 5e-4  # a float32 mean: 1e-3 to 4e-3
    own = torch.stack([features[labels == c].mean(dim=0) for c in range(2)])
    assert float((statistics.mean - own).abs().max()) < 2e-3


# -- the state ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('kind', KINDS)
def test_the_state_is_exactly_count_mean_and_covariance(kind):
    assert list(ClassStatistics(CLASSES, CHANNELS, covariance=kind).state_dict()) == list(BUFFERS)
    assert list(observed(kind, batch()).state_dict()) == list(BUFFERS)


@pytest.mark.parametrize('kind', KINDS)
def test_a_float32_mean_of_version_0_2_loads(kind):
    whole = observed(kind, *zip(*drifting(3), strict=True), num_classes=2)
    old = {**state(whole), 'mean': whole.mean.float()}
    loaded = observed(kind, *zip(*drifting(2), strict=True), num_classes=2)
    loaded.load_state_dict(old)
    assert_same_bits(everything(loaded), {**everything(whole), 'mean': old['mean'].double()})


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('assigned', [True, False])
def test_narrowed_buffers_get_their_dtypes_back(kind, assigned):
    batches = list(zip(*drifting(3), strict=True))
    half = observed(kind, *batches[:2], num_classes=2)
    narrowed = {name: value.bfloat16() if value.is_floating_point() else value for name, value in state(half).items()}
    if assigned:
        half.load_state_dict(narrowed, assign=True)
    else:
        for name in ('mean', 'covariance'):  # as FSDP casts buffers
            half.get_buffer(name).data = narrowed[name]
    expected = observed(kind, *batches[:2], num_classes=2)
    expected.load_state_dict(narrowed)
    for statistics in (half, expected):
        statistics.observe(*batches[2])
    assert (half.mean.dtype, half.covariance.dtype) == (torch.float64, torch.float32)
    assert_same_bits(everything(half), everything(expected))


@pytest.mark.parametrize('offset', [0.0, 1.0, 3e4])
def test_a_loaded_mean_has_all_bits_of_the_saved_one(offset):
    saved = ClassStatistics(2, 3)
    for features, labels in zip(*drifting(50), strict=True):
        saved.observe(features - 3e4 + offset, labels)
        loaded = ClassStatistics(2, 3)
        loaded.load_state_dict(state(saved))
        assert_same_bits(everything(loaded), everything(saved))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('invariant', state_invariants.INVARIANTS, ids=state_invariants.name)
def test_invariants_of_state(invariant, kind):
    state_invariants.assert_holds(invariant, lambda: ClassStatistics(CLASSES, CHANNELS, kind),
                            lambda statistics, number: statistics.observe(*batch(seed=number)))


@pytest.mark.parametrize('kind', KINDS)
def test_moments_of_parts_merge_to_those_of_the_whole(kind):
    state_invariants.assert_parts_merge_to_the_whole(
        lambda: ClassStatistics(CLASSES, CHANNELS, kind),
        lambda statistics, number: statistics.observe(*batch(samples=(20, 9, 31)[number], seed=number)),
        lambda statistics: statistics.moments, merge, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('cast', ['half', 'bfloat16'])
@pytest.mark.parametrize('inside', [True, False])
def test_casting_the_module_keeps_float32_buffers(kind, cast, inside):
    statistics = observed(kind, batch())
    before = state(statistics)
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), statistics) if inside else statistics
    getattr(module, cast)()
    assert_same_bits(state(statistics), before)
    module.to(torch.float16 if cast == 'half' else torch.bfloat16)
    assert_same_bits(state(statistics), before)
    if inside:
        assert module[0].weight.dtype != torch.float32
    statistics.observe(*batch(seed=1))
    assert_same_bits(state(statistics), state(observed(kind, batch(), batch(seed=1))))


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_moments_are_a_copy(kind):
    statistics = observed(kind, batch())
    moments = [t.clone() for t in statistics.moments]
    held = statistics.moments
    statistics.observe(*batch(seed=1, samples=3))
    assert not torch.equal(statistics.mean, moments[1])
    assert all(torch.equal(a, b) for a, b in zip(held, moments, strict=True))


# -- errors ------------------------------------------------------------------------------------------------------------

def test_an_unknown_covariance_is_an_error_that_names_it():
    with pytest.raises(ValueError, match='banded'):
        ClassStatistics(CLASSES, CHANNELS, covariance='banded')


@pytest.mark.parametrize('kind', KINDS)
def test_wrong_channels_are_an_error_that_names_both_and_change_nothing(kind):
    statistics = observed(kind, batch())
    before = state(statistics)
    with pytest.raises(ValueError, match=r'(?s)(?=.*\b5\b)(?=.*\b8\b)'):
        statistics.observe(torch.randn(60, 8), batch()[1])
    assert_same_bits(state(statistics), before)


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize(('bad', 'ignore_index'), [(4, None), (-1, IGNORE), (255, -1)])
def test_a_label_outside_the_classes_is_an_error_and_changes_nothing(kind, bad, ignore_index):
    statistics = observed(kind, batch())
    before, (features, labels) = state(statistics), batch(seed=1)
    labels[13] = bad
    with pytest.raises(ValueError, match=rf'(?<!\d){bad}(?!\d)'):
        statistics.observe(features, labels, ignore_index=ignore_index)
    assert_same_bits(state(statistics), before)


# -- two ranks ---------------------------------------------------------------------------------------------------------

def shards():
    """Steps of (features, labels) for two ranks: uneven, many or few rows, none, one class only, all ignored."""
    features, labels = batch(samples=120)
    labels[::6] = IGNORE
    features[17, 3] = float('nan')
    labels[40:60] = torch.where(labels[40:60] == 3, 0, labels[40:60])
    only_three = torch.full((30,), 3)
    empty = features[:0], labels[:0]
    return [
        [(features[:7], labels[:7]), (features[7:40], labels[7:40])],
        [(features[40:53], labels[40:53]), empty],
        [(features[53:55], labels[53:55]), (features[55:60], labels[55:60])],
        [empty, (features[60:90], only_three)],
        [(features[90:110], labels[90:110]), (features[110:], torch.full((10,), IGNORE))],
        [empty, empty],
    ]


def wrapped_in_plain_ddp(rank, sync, kind):
    """Two training steps of a model that holds the statistics, under DistributedDataParallel as torch has it."""
    statistics = ClassStatistics(2, CHANNELS, kind, sync)
    model = torch.nn.ModuleDict(dict(fc=torch.nn.Linear(CHANNELS, 2), statistics=statistics))
    model.forward = lambda features: model['fc'](features)
    wrapped = torch.nn.parallel.DistributedDataParallel(model)
    for step in range(2):
        wrapped(torch.ones(4, CHANNELS)).sum().backward()
        model['statistics'].observe(torch.full((4, CHANNELS), 10.0 * rank + step), torch.arange(4) % 2)
    return state(model['statistics'])


def growing(rank):
    """Batches of which one, later, is larger than the first on any rank: (features, labels) a step."""
    features, labels = batch(samples=80)
    return list(zip(features.split([3, 2, 40, 35])[rank::2], labels.split([3, 2, 40, 35])[rank::2], strict=True))


def resumed(rank, kind, cpu_types):
    """The states of an uninterrupted run and of one resumed after each step, whose batches vary in size."""
    device.CPU_TYPES, before = cpu_types, device.CPU_TYPES
    features, labels = batch(samples=120)
    # On an accelerator, the first batch decides whether samples or moments are exchanged.
    sizes = [2, 1, 50, 7] if cpu_types else [50, 2, 1, 7]
    own = slice(60 * rank, 60 * rank + 60)
    steps = list(zip(features[own].split(sizes), labels[own].split(sizes), strict=True))
    whole, states = ClassStatistics(CLASSES, CHANNELS, kind), []
    for step in steps:
        whole.observe(*step)
        states.append(state(whole))
    for done in range(1, len(steps)):
        again = ClassStatistics(CLASSES, CHANNELS, kind)
        again.load_state_dict(states[done - 1])
        for step in steps[done:]:
            again.observe(*step)
        states.append(state(again))
    device.CPU_TYPES = before
    return states[len(steps) - 1:]


def many_steps_on_rank(rank, folder, steps):
    """The states after many steps and the numbers of messages sent, {kind: (state, messages)}."""
    results, calls, gather = {}, [], torch.distributed.all_gather

    def counting(parts, tensor):
        calls.append(tensor.shape)
        gather(parts, tensor)

    torch.distributed.all_gather = counting
    for kind in ('diagonal', 'full'):
        statistics, own = ClassStatistics(3, CHANNELS, kind), slice(4 * rank, 4 * rank + 4)
        calls.clear()
        for features, labels in zip(*many_steps(int(steps)), strict=True):
            statistics.observe(features[own], labels[own])
        results[kind] = state(statistics), len(calls)
    return results


def pixel_shards():
    """Steps of (features, labels): an image per rank with features around 1000; then one rank or none has labels."""
    features, labels = batch(samples=6 * 48)
    features, labels = (features + 1000).view(6, 6, 8, -1).movedim(-1, 1), labels.view(6, 6, 8)
    labels[:, ::3] = IGNORE
    labels[1], labels[4:] = IGNORE, IGNORE
    return [[(features[i:i + 1], labels[i:i + 1]) for i in (step, step + 1)] for step in (0, 2, 4)]


def pixels_on_rank(rank, kind):
    """The state after the steps of ``pixel_shards``, and the number of elements received in the first step."""
    arrived, gather, reduce = [], torch.distributed.all_gather, torch.distributed.all_reduce
    torch.distributed.all_gather = lambda parts, own: (arrived.append(len(parts) * own.numel()), gather(parts, own))
    torch.distributed.all_reduce = lambda total: (arrived.append(total.numel()), reduce(total))
    first, *others = (step[rank] for step in pixel_shards())
    statistics = observed(kind, first, ignore_index=IGNORE)
    numbers = sum(arrived)
    for features, labels in others:
        statistics.observe(features, labels, ignore_index=IGNORE)
    torch.distributed.all_gather, torch.distributed.all_reduce = gather, reduce
    return state(statistics), numbers


def soft_shards():
    """Features and class probabilities of two ranks: samples, with one empty batch, then an image each."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(24, CHANNELS, generator=generator)
    targets = torch.rand(24, CLASSES, dtype=torch.float64, generator=generator) / 3
    targets[::5], targets[:4, 2] = 0, 0
    pairs = list(zip(features[:16].split([5, 2, 9, 0]), targets[:16].split([5, 2, 9, 0]), strict=True))
    maps = [tensor[16:].view(2, 4, 1, -1).movedim(-1, 1) for tensor in (features, targets)]
    return features, targets, [[*pairs[rank::2], tuple(tensor[rank:rank + 1] for tensor in maps)] for rank in range(2)]


def on_rank(rank, folder):
    results = {(kind, 'growing'): state(observed(kind, *growing(rank), num_classes=CLASSES))
               for kind in ('diagonal', 'full')}
    results.update({(kind, 'resumed', cpu_types): resumed(rank, kind, cpu_types)
                    for kind in ('diagonal', 'full') for cpu_types in (('cpu',), ())})
    for sync in (True, False):
        for kind in ('diagonal', 'full'):
            results['plain DDP', kind, sync] = wrapped_in_plain_ddp(rank, sync, kind)
    torch.distributed.barrier()
    for kind in KINDS:
        results[kind, 'pixels'] = pixels_on_rank(rank, kind)
        results[kind, 'soft'] = state(observed(kind, *soft_shards()[2][rank]))
        for sync in (True, False):
            mine = [step[rank] for step in shards()]
            results[kind, sync] = state(observed(kind, *mine, ignore_index=IGNORE, sync=sync))
        statistics = ClassStatistics(CLASSES, CHANNELS, covariance=kind)
        try:  # a bad label on every rank, and few rows
            statistics.observe(torch.ones(3, CHANNELS), torch.tensor([0, -1, 1]))
            results[kind, 'error'] = 'none'
        except ValueError as error:
            results[kind, 'error'] = str(error)
    return results


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """The states of both ranks, {(kind, sync): state} each."""
    return two_ranks(on_rank, tmp_path_factory.mktemp('ranks'))


@pytest.mark.parametrize('kind', KINDS)
def test_two_ranks_hold_the_same_bits(ranks, kind):
    assert_same_bits(ranks[0][kind, True], ranks[1][kind, True])


@pytest.mark.parametrize('kind', KINDS)
def test_two_ranks_with_uneven_and_empty_shards_equal_one_process(ranks, kind):
    together = [[torch.cat(tensors) for tensors in zip(*step, strict=True)] for step in shards()]
    alone = state(observed(kind, *together, ignore_index=IGNORE))
    assert int(alone['count'].sum()) > 80
    for rank in ranks:
        assert_close_state(rank[kind, True], alone, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('kind', KINDS)
def test_pixels_of_two_ranks_equal_one_process(ranks, kind):
    together = [tuple(torch.cat(tensors) for tensors in zip(*step, strict=True)) for step in pixel_shards()]
    features, labels = (torch.cat(tensors) for tensors in zip(*together, strict=True))
    rows = features.movedim(1, -1).flatten(0, 2)
    expected = literal(rows, labels.flatten(), kind, ignore_index=IGNORE)
    (first, _), (second, _) = (rank[kind, 'pixels'] for rank in ranks)
    assert_same_bits(first, second)
    assert int(first['count'].sum()) == int((labels != IGNORE).sum())
    assert_close(first['covariance'], expected.float(), rtol=2e-3, atol=2e-3)  # float32 rounds 1000 to 6e-5


@pytest.mark.parametrize('kind', KINDS)
def test_class_probabilities_of_two_ranks_equal_one_process(ranks, kind):
    features, targets, _ = soft_shards()
    (first, second), whole = (rank[kind, 'soft'] for rank in ranks), class_moments(features, targets, CLASSES,
                                                                                   covariance=kind)
    assert_same_bits(first, second)
    assert_close(first['count'], targets.sum(dim=0), rtol=1e-14, atol=0)
    assert_close(first['mean'].float(), whole.mean, rtol=1e-5, atol=1e-6)
    assert_close(first['covariance'], whole.covariance, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('kind', ['full', 'shared'])
def test_matrices_of_ranks_are_all_reduced(ranks, kind):
    matrices = (CLASSES if kind == 'full' else 1) * CHANNELS ** 2
    assert [rank[kind, 'pixels'][1] for rank in ranks] == 2 * [CLASSES * (1 + CHANNELS) + matrices]


def test_gathering_capacity_is_the_first_batch_up_to_a_power_of_two(monkeypatch):
    monkeypatch.setattr(device, 'CPU_TYPES', ())
    monkeypatch.setattr(ranks_module, '_gather', lambda tensor: tensor[None])  # a single rank
    gathering, rows = SampleGathering(), torch.arange(20.0)[:, None]
    for number, kept, overflow in ((11, 11, 0), (16, 16, 0), (18, 16, 2)):
        features, labels = gathering.gather(rows[:number], torch.zeros(number, dtype=torch.int64), None, 100)
        assert (int((labels == 0).sum()), int(gathering.overflow)) == (kept, overflow)
        assert torch.equal(features[labels == 0], rows[:kept])
    for number, limit, capacity in ((11, 14, 13), (14, 14, 14)):  # below the limit it stays below the limit
        gathering = SampleGathering()
        found = gathering.gather(rows[:number], torch.zeros(number, dtype=torch.int64), None, limit)
        assert (found is None, gathering.capacity) == (number >= limit, capacity)


@pytest.mark.parametrize('kind', KINDS)
def test_a_label_outside_the_range_is_an_error_on_two_ranks_too(ranks, kind):
    assert all('-1' in rank[kind, 'error'] for rank in ranks)


@pytest.mark.parametrize('kind', KINDS)
def test_without_sync_each_rank_has_separate_statistics(ranks, kind):
    for r, rank in enumerate(ranks):
        own = state(observed(kind, *(step[r] for step in shards()), ignore_index=IGNORE, sync=False))
        assert_close_state(rank[kind, False], own, rtol=1e-6, atol=1e-6)
    assert not torch.equal(ranks[0][kind, False]['count'], ranks[1][kind, False]['count'])


@exhaustive('steps', [2_000, 20_000])
def test_many_steps_on_two_ranks_stay_within_1e_5_of_float64(steps, tmp_path):
    ranks = two_ranks(many_steps_on_rank, tmp_path, steps)
    for kind in ('diagonal', 'full'):
        (first, messages), (second, its_messages) = (rank[kind] for rank in ranks)
        assert_same_bits(first, second)
        assert_stays_beside_float64(first, kind, steps)
        agreed = 1 if kind == 'full' else steps  # messages with the number of samples alone
        assert steps <= messages == its_messages <= steps + agreed


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_a_batch_larger_than_the_first_loses_no_sample_on_cpu(ranks, kind):
    for rank in ranks:
        assert_close_state(rank[kind, 'growing'], state(observed(kind, batch(samples=80))), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('cpu_types', [('cpu',), ()], ids=['cpu', 'accelerator'])
@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_a_resumed_run_with_batches_of_other_sizes_is_bitwise_exact(ranks, kind, cpu_types):
    whole = ranks[0][kind, 'resumed', cpu_types][0]
    assert ('capacity' in whole) == (not cpu_types)
    for rank in ranks:
        for again in rank[kind, 'resumed', cpu_types]:
            assert_same_bits(again, whole)


@pytest.mark.parametrize('kind', ['diagonal', 'full'])
def test_plain_distributed_data_parallel_leaves_statistics_as_they_are(ranks, kind):
    shape = ranks[0]['plain DDP', kind, True]['covariance'].shape
    for number, rank in enumerate(ranks):
        synced, own = rank['plain DDP', kind, True], rank['plain DDP', kind, False]
        assert synced['count'].tolist() == [8, 8] and own['count'].tolist() == [4, 4]
        assert_close(synced['mean'].float(), torch.full((2, CHANNELS), 5.5))
        assert_close(synced['covariance'], torch.full(shape, 25.25))
        assert_close(own['mean'].float(), torch.full((2, CHANNELS), 10.0 * number + 0.5))
        assert_close(own['covariance'], torch.full(shape, 0.25))


def test_sync_without_a_process_group_is_the_same_as_no_sync():
    for kind in KINDS:
        assert_same_bits(state(observed(kind, batch(), sync=True)), state(observed(kind, batch(), sync=False)))
