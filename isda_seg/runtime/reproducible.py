"""Randomness derived from (seed, rank, position) instead of carried along: exact resume, paired runs.

MMEngine restores no random state. Here every iteration and every sample starts from a state of its own, so that a
resumed run, another number of workers and the other arm of a pair all draw the same numbers.
"""
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, DATASETS, HOOKS
from torch.utils.data import Dataset, Sampler

from isda_seg.runtime.config_keys import type_name

DEFAULT_SEED = 0
_SAMPLE, _ITERATION = 0, 1  # separate streams


def seed_everything(*key: int) -> None:
    """Seed torch on all devices, numpy and random from a tuple of non-negative integers."""
    torch.manual_seed(seed_cpu(*key))


def seed_cpu(*key: int) -> int:
    """The same on the CPU alone; returns torch's seed.

    For samples: ``torch.manual_seed`` writes down the call stack for each kind of device, which takes longer than to
    load and augment a small image.
    """
    words = np.random.SeedSequence(key).generate_state(4)
    seed = int(words[0]) << 32 | int(words[1])
    torch.default_generator.manual_seed(seed)
    np.random.seed(words[2])
    random.seed(int(words[3]))
    return seed


class Position(NamedTuple):
    """A place in the endless sequence of samples, and the dataset's index there."""
    seed: int
    position: int
    index: int


@DATA_SAMPLERS.register_module()
class PositionSampler(Sampler):
    """Tell the dataset where in the sample sequence each index stands.

    Args:
        dataset, seed: given by the Runner.
        sampler: config of the sampler that chooses the indices; its own order must follow from the seed.
    """

    def __init__(self, dataset: Dataset, sampler: dict, seed: int = DEFAULT_SEED) -> None:
        self.rank, self.world_size = get_dist_info()
        self.seed, self.dataset = seed, dataset  # a batch sampler that groups images asks the dataset about them
        self.sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
        self.start = 0
        if hasattr(self.sampler, 'skip'):  # a loop that finds no skip steps through the epochs itself
            self.skip = self._skip

    def __iter__(self) -> Iterator[Position]:
        for step, index in enumerate(self.sampler, self.start):
            yield Position(self.seed, step * self.world_size + self.rank, index)

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Epoch-based loops: another shuffle, further positions."""
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
        self.start = epoch * len(self.sampler)

    def _skip(self, num_samples: int) -> None:
        """Iteration-based loops on resume: go on after the samples this rank has consumed, without loading them."""
        self.start = num_samples
        self.sampler.skip(num_samples)


@DATASETS.register_module()
class PositionSeededDataset(Dataset):
    """Seed every sample's transforms from its position, in whichever worker it is made.

    Args:
        dataset: config or object; everything but indexing is its own.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset

    def __getitem__(self, position: Position) -> Any:
        seed_cpu(position.seed, _SAMPLE, position.position)
        return self.dataset[position.index]

    def get_data_info(self, position: Position | int) -> dict:
        """What the dataset knows of a sample without loading it, for batch samplers that group alike images."""
        return self.dataset.get_data_info(position.index if isinstance(position, Position) else position)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':  # not set yet while unpickling in a worker
            raise AttributeError(name)
        return getattr(self.dataset, name)


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed the training step (dropout and the like) from (seed, rank, iteration)."""

    priority = 'VERY_HIGH'

    def before_train(self, runner: Any) -> None:
        """The checkpoint's seed has replaced the config's by now; the data order has not."""
        sampler = getattr(runner.train_dataloader.batch_sampler, 'sampler', None)
        seed = getattr(sampler, 'seed', runner.seed)
        if seed != runner.seed:
            raise ValueError(f'the checkpoint was trained with seed {runner.seed}, this run has seed {seed}: resume '
                             f'with --cfg-options randomness.seed={runner.seed}')

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """One state per rank and iteration, whatever the data loading drew."""
        seed_everything(runner.seed, _ITERATION, runner.rank, runner.iter)


def make_reproducible(cfg: ConfigDict) -> None:
    """Rewrite a training config in place: seeded samples, seeded iterations, a seed (default 0)."""
    cfg.setdefault('randomness', ConfigDict(seed=DEFAULT_SEED))
    if cfg.randomness.get('seed') is None:
        cfg.randomness.seed = DEFAULT_SEED
    cfg.randomness.pop('diff_rank_seed', None)  # position and rank are in every key; the sampler needs one seed
    loader = cfg.train_dataloader
    if loader.get('sampler') is None:  # as torch's DataLoader reads it
        loader.sampler = dict(type='DefaultSampler', shuffle=loader.pop('shuffle', False))
    if type_name(loader.sampler) != 'PositionSampler':
        loader.sampler = dict(type='PositionSampler', sampler=loader.sampler)
        loader.dataset = dict(type='PositionSeededDataset', dataset=loader.dataset)
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='IterationSeedHook')]
