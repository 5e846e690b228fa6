"""TwoStreamSampler: every unlabelled image once per epoch, balanced labelled images, exact resume."""
from collections import Counter

import numpy as np
import pytest
from helpers.sampler_epochs import sampler_epochs
from mmengine.dataset import DefaultSampler, sampler

from isda_seg.runtime.reproducible import PositionSampler
from isda_seg.semi import TwoStreamSampler


class Two:
    """20 unlabelled images, six of them labelled."""

    def __init__(self, count=20):
        self.count, self.labelled_indices = count, np.array([1, 3, 4, 11, 17, 18])

    def __len__(self):
        return self.count


@pytest.fixture
def epochs(monkeypatch):
    """epochs(number, ranks=2, ...): for each epoch the pairs of each rank."""
    def build(number, ranks=1, count=20, seed=0):
        return sampler_epochs(monkeypatch, sampler, lambda: TwoStreamSampler(Two(count), seed=seed),
                              number, ranks)
    return build


def interleaved(ranks):
    """The pairs of an epoch in the order of their positions."""
    longest = max(map(len, ranks))
    return [pairs[step] for step in range(longest) for pairs in ranks if step < len(pairs)]


def test_epoch_is_one_pass_in_the_order_of_default_sampler(epochs):
    for epoch, (pairs,) in enumerate(epochs(3)):
        expected = DefaultSampler(Two(), seed=0)
        expected.set_epoch(epoch)
        assert [unlabelled for unlabelled, _ in pairs] == list(expected)
        assert sorted(unlabelled for unlabelled, _ in pairs) == list(range(20))


@pytest.mark.parametrize('ranks', [1, 2, 3])
def test_labelled_images_come_in_complete_shuffled_passes(epochs, ranks):
    labelled = [pair[1] for epoch in epochs(6, ranks) for pair in interleaved(epoch)]
    passes = [labelled[start:start + 6] for start in range(0, len(labelled) - 5, 6)]
    assert len(passes) == (6 * (21 if ranks == 3 else 20)) // 6
    assert {tuple(sorted(one)) for one in passes} == {(1, 3, 4, 11, 17, 18)}
    assert len({tuple(one) for one in passes}) > 15
    counts = Counter(labelled).values()
    assert max(counts) - min(counts) <= 1


def test_ranks_share_one_sequence(epochs):
    for one, two in zip(epochs(4), epochs(4, ranks=2), strict=True):
        assert interleaved(two) == one[0]


def test_ranks_have_equally_many_pairs(epochs):
    assert [len(pairs) for pairs in epochs(1, ranks=3)[0]] == [7, 7, 7]


def test_resumed_sampler_continues_the_sequence(epochs):
    through = epochs(5)
    fresh = TwoStreamSampler(Two(), seed=0)
    fresh.set_epoch(3)
    assert list(fresh) == list(fresh) == through[3][0] != through[2][0]


def test_seeds_pair_differently(epochs):
    assert epochs(1, seed=0) == epochs(1, seed=0) != epochs(1, seed=1)


def test_pairing_is_stable_across_versions(epochs):
    labelled = [labelled for _, labelled in epochs(1)[0][0]]
    assert labelled[:12] == [11, 18, 17, 1, 4, 3, 1, 18, 3, 11, 4, 17]


def test_positions_carry_the_pairs_unchanged(epochs):
    positions = PositionSampler(Two(), dict(type='TwoStreamSampler'), seed=5)
    positions.set_epoch(2)
    found = list(positions)
    assert [one.index for one in found] == epochs(3, seed=5)[2][0]
    assert [one.position for one in found] == list(range(40, 60))
    assert len(positions) == 20


def test_fewer_unlabelled_images_than_ranks_are_an_error(epochs):
    with pytest.raises(ValueError, match='cannot distribute 2 unlabelled images over 3 ranks'):
        epochs(1, ranks=3, count=2)


def test_another_dataset_is_an_error():
    with pytest.raises(ValueError, match='TwoStreamSampler needs a TwoStreamDataset, got list'):
        TwoStreamSampler([1, 2, 3], seed=0)
