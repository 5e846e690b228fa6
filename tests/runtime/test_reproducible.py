"""Random states depend on seed and position only."""

import itertools
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import Config
from mmengine.runner import Runner

from isda_seg.runtime.reproducible import (
    IterationSeedHook,
    Position,
    PositionSampler,
    PositionSeededDataset,
    make_reproducible,
    seed_everything,
)

pytestmark = tiny.on_cpu


class Dice:
    """A dataset whose samples are the next numbers of the three generators."""

    def __len__(self):
        return 5

    def __getitem__(self, index):
        return index, *draw()


def draw():
    return torch.rand(()).item(), np.random.rand(), random.random()


def batches(loader, count):
    """Files of `count` batches, and a hash of images and labels."""
    found = []
    for batch in itertools.islice(loader, count):
        samples = batch['data_samples']
        found.append(([sample.img_path for sample in samples],
                      tiny.digest([*batch['inputs'], *(sample.gt_sem_seg.data for sample in samples)])))
    return found


@pytest.fixture
def loader(tmp_path):
    """loader(workers) is the training data loader of the tiny config, with every random transform it has."""
    from mmseg.utils import register_all_modules
    plain, _ = tiny.write_configs(tmp_path, train=5)

    def build(workers=0, seed=7, **sampler):
        cfg = Config.fromfile(plain)
        cfg.train_dataloader.num_workers = workers
        cfg.train_dataloader.sampler.update(sampler)
        make_reproducible(cfg)
        register_all_modules()
        return Runner.build_dataloader(cfg.train_dataloader, seed=seed)

    return build


def test_sample_depends_only_on_seed_and_position():
    dataset = PositionSeededDataset(Dice())
    first = [dataset[Position(0, position, 3)] for position in range(4)]
    draw()
    assert [dataset[Position(0, position, 3)] for position in reversed(range(4))] == first[::-1]
    assert dataset[Position(0, 2, 1)] == (1, *first[2][1:])
    others = [dataset[Position(1, position, 3)] for position in range(4)]
    assert len({sample[1:] for sample in first + others}) == 8


def test_ranks_partition_the_sequence_of_one_process(monkeypatch):
    def stream(rank, world_size):
        for module in ('isda_seg.runtime.reproducible', 'mmengine.dataset.sampler'):
            monkeypatch.setattr(f'{module}.get_dist_info', lambda: (rank, world_size))
        return itertools.islice(PositionSampler(Dice(), dict(type='InfiniteSampler', shuffle=True), seed=3), 12)

    alone = list(stream(0, 1))
    assert [position for _, position, _ in alone] == list(range(12))
    together = [place for places in zip(*(stream(rank, 3) for rank in range(3)), strict=True) for place in places]
    assert together[:12] == alone


@pytest.mark.parametrize('workers', [0, 2])
def test_batches_do_not_depend_on_workers_or_generator_states(loader, workers):
    expected = batches(loader(workers=0), 4)
    draw()
    assert batches(loader(workers=workers), 4) == expected
    assert len({bits for _, bits in expected}) == 4
    assert batches(loader(workers=workers, seed=8), 4) != expected


@pytest.mark.family('onedl')  # the other family's samplers cannot skip: its loop loads what it passes over
@pytest.mark.parametrize('workers', [0, 2])
@exhaustive('skipped', [1, 3])
def test_sequence_continues_after_a_skip(loader, workers, skipped):
    expected = batches(loader(), 4)
    resumed = loader(workers=workers)
    resumed.sampler.skip(skipped * 2)
    assert batches(resumed, 4 - skipped) == expected[skipped:]


def test_two_epochs_differ_in_order_and_in_every_transform(loader):
    epochs = loader(type='DefaultSampler')
    first = batches(epochs, 3)
    assert batches(epochs, 3) == first
    epochs.sampler.set_epoch(1)
    second = batches(epochs, 3)
    assert sorted(sum((files for files, _ in first), [])) == sorted(sum((files for files, _ in second), []))
    assert [files for files, _ in first] != [files for files, _ in second]
    again = loader(type='DefaultSampler')
    again.sampler.set_epoch(1)
    assert batches(again, 3) == second
    ordered = loader(type='DefaultSampler', shuffle=False)
    first = batches(ordered, 3)
    ordered.sampler.set_epoch(1)
    second = batches(ordered, 3)
    assert [files for files, _ in first] == [files for files, _ in second]
    assert all(a != b for (_, a), (_, b) in zip(first, second, strict=True))


def test_finite_sampler_has_no_skip(loader):
    assert not hasattr(loader(type='DefaultSampler').sampler, 'skip')
    assert hasattr(loader().sampler, 'skip') == hasattr(loader().sampler.sampler, 'skip')


def test_metadata_of_a_position_is_available_without_loading():
    class Known(Dice):
        def get_data_info(self, index):
            return dict(width=10 * index)

    dataset = PositionSeededDataset(Known())
    sampler = PositionSampler(dataset, dict(type='DefaultSampler', shuffle=False))
    assert [sampler.dataset.get_data_info(position) for position in sampler] == [
        dict(width=width) for width in (0, 10, 20, 30, 40)]
    assert dataset.get_data_info(3) == dict(width=30)


def test_iteration_depends_only_on_seed_rank_and_number():
    def drawn(seed=0, rank=0, number=0):
        draw()
        IterationSeedHook().before_train_iter(SimpleNamespace(seed=seed, rank=rank, iter=number), 0)
        return draw()

    assert drawn(5, 1, 9) == drawn(5, 1, 9)
    assert len({drawn(), drawn(seed=1), drawn(rank=1), drawn(number=1)}) == 4


def test_samples_and_iterations_use_separate_random_streams():
    dataset = PositionSeededDataset(Dice())
    samples = {dataset[Position(0, position, 0)][1:] for position in range(4)}
    iterations = set()
    for number in range(4):
        IterationSeedHook().before_train_iter(SimpleNamespace(seed=0, rank=0, iter=number), 0)
        iterations.add(draw())
    assert len(samples | iterations) == 8


def test_seeding_reaches_torch_numpy_and_random():
    seed_everything(3, 1, 4)
    first = draw()
    seed_everything(3, 1, 4)
    assert draw() == first
    seed_everything(3, 1, 5)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_make_reproducible_is_idempotent_and_keeps_user_settings():
    mine = dict(type='EMAHook')
    cfg = Config(dict(train_dataloader=dict(sampler=dict(type='InfiniteSampler'), dataset=dict(type='Mine')),
                      custom_hooks=[mine], randomness=dict(seed=5, deterministic=True)))
    make_reproducible(cfg)
    once = cfg.to_dict()
    make_reproducible(cfg)
    assert cfg.to_dict() == once
    assert once['custom_hooks'] == [mine, dict(type='IterationSeedHook')]
    assert once['randomness'] == dict(seed=5, deterministic=True)
    assert once['train_dataloader'] == dict(
        sampler=dict(type='PositionSampler', sampler=dict(type='InfiniteSampler')),
        dataset=dict(type='PositionSeededDataset', dataset=dict(type='Mine')))


@pytest.mark.parametrize('given', [dict(), dict(randomness=dict(seed=None)), dict(custom_hooks=None)])
def test_default_seed_is_0(given):
    cfg = Config(dict(train_dataloader=dict(sampler=dict(type='InfiniteSampler'), dataset=dict(type='Mine')), **given))
    make_reproducible(cfg)
    assert cfg.randomness.seed == 0
    assert cfg.custom_hooks == [dict(type='IterationSeedHook')]


def test_two_runs_are_bitwise_equal_for_any_previous_state(tmp_path):
    _, config = tiny.write_configs(tmp_path)
    short = {'train_cfg.max_iters': 3}
    runner, steps = tiny.train(config, tmp_path / 'first', short)
    draw()
    again, same = tiny.train(config, tmp_path / 'second', {**short, 'train_dataloader.num_workers': 2})
    other, different = tiny.train(config, tmp_path / 'third', {**short, 'randomness.seed': 1})
    assert tiny.differing(tiny.full_state(again), tiny.full_state(runner)) == []
    assert same == steps
    assert [a['losses'] == b['losses'] for a, b in zip(steps, different, strict=True)] == [False] * 3


def test_diff_rank_seed_is_removed(tmp_path):
    _, config = tiny.write_configs(tmp_path)
    _, steps = tiny.train(config, tmp_path / 'plain', {'train_cfg.max_iters': 1})
    _, same = tiny.train(config, tmp_path / 'rank', {'train_cfg.max_iters': 1, 'randomness.diff_rank_seed': True})
    assert same == steps


def test_resume_with_another_seed_is_an_error_that_names_the_seed(tmp_path):
    _, config = tiny.write_configs(tmp_path)
    tiny.train(config, tmp_path / 'work', {'train_cfg.max_iters': 2, 'randomness.seed': 5})
    with pytest.raises(ValueError, match=r'seed 5, this run has seed 6.*randomness\.seed=5'):
        tiny.train(config, tmp_path / 'work', {'randomness.seed': 6}, resume='latest')


@pytest.mark.parametrize('shuffle', [None, True])
def test_dataloader_without_a_sampler_is_sequential_as_in_torch(shuffle):
    loader = dict(batch_size=2, sampler=None, dataset=dict(type='Any'), **dict(shuffle=True) if shuffle else {})
    cfg = Config(dict(train_dataloader=loader))._cfg_dict
    make_reproducible(cfg)
    assert cfg.train_dataloader.sampler == dict(
        type='PositionSampler', sampler=dict(type='DefaultSampler', shuffle=bool(shuffle)))
    assert 'shuffle' not in cfg.train_dataloader
