"""Random states derived from (seed, rank, position), for exact resume and paired runs.

MMEngine does not restore random states. Here every iteration and every sample is seeded separately, so a resumed run,
a run with another number of workers and the other arm of a paired experiment all use the same random numbers.
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
from torch.utils.data import Dataset, Sampler, get_worker_info

from isda_seg.openmmlab.config_nodes import type_name
from isda_seg.runtime.signals import ignore_signals_in_worker

DEFAULT_SEED = 0
_SAMPLE, _ITERATION, _EPOCH = 0, 1, 2  # separate streams


def seed_everything(*key: int) -> None:
    """Seed torch on all devices, numpy and random from non-negative integers."""
    torch.manual_seed(seed_cpu(*key))


def seed_cpu(*key: int) -> int:
    """Seed torch on the CPU, numpy and random from non-negative integers; return torch's seed.

    Samples use this function because ``torch.manual_seed`` records the call stack for each device type, which takes
    longer than loading and augmenting a small image.
    """
    words = np.random.SeedSequence(key).generate_state(4)
    seed = int(words[0]) << 32 | int(words[1])
    torch.default_generator.manual_seed(seed)
    np.random.seed(words[2])
    random.seed(int(words[3]))
    return seed


class Position(NamedTuple):
    """Position in the infinite sequence of samples, and the dataset index at that position."""
    seed: int
    position: int
    index: int  # type: ignore[assignment]


@DATA_SAMPLERS.register_module()
class PositionSampler(Sampler[Any]):
    """Yield each index of an inner ``sampler``, whose order must depend only on the seed, with its position."""

    def __init__(self, dataset: Dataset[Any], sampler: dict[str, Any], seed: int = DEFAULT_SEED) -> None:
        self.rank, self.world_size = get_dist_info()
        self.seed, self.dataset = seed, dataset  # batch samplers that group images read the dataset
        self.sampler = DATA_SAMPLERS.build(sampler, default_args=dict(dataset=dataset, seed=seed))
        self.start = 0
        if hasattr(self.sampler, 'skip'):  # otherwise the training loop iterates over the consumed batches
            self.skip = self._skip

    def __iter__(self) -> Iterator[Position]:
        """Yield the positions of this rank."""
        for step, index in enumerate(self.sampler, self.start):
            yield Position(self.seed, step * self.world_size + self.rank, index)

    def __len__(self) -> int:
        """Return the length of the inner sampler."""
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Set the shuffle and the first position of an epoch, in epoch-based training."""
        if hasattr(self.sampler, 'set_epoch'):
            self.sampler.set_epoch(epoch)
        self.start = epoch * len(self.sampler)

    def _skip(self, num_samples: int) -> None:
        """Skip the samples that this rank has consumed without loading them, in iteration-based training."""
        self.start = num_samples
        self.sampler.skip(num_samples)


@DATASETS.register_module()
class PositionSeededDataset(Dataset[Any]):
    """Dataset wrapper that seeds every sample's transforms from its position, independent of the worker."""

    ignores_signals = False

    def __init__(self, dataset: Any) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset

    def __getitem__(self, position: Position) -> Any:
        """Seed the random states and return the sample."""
        if not self.ignores_signals and get_worker_info() is not None:
            ignore_signals_in_worker()
            self.ignores_signals = True
        seed_cpu(position.seed, _SAMPLE, position.position)
        return self.dataset[position.index]

    def get_data_info(self, position: Position | int) -> dict[str, Any]:
        """Return a sample's metadata without loading it, for batch samplers that group similar images."""
        return self.dataset.get_data_info(position.index if isinstance(position, Position) else position)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        """Forward to the wrapped dataset."""
        if name == 'dataset':  # not set yet while unpickling in a worker
            raise AttributeError(name)
        return getattr(self.dataset, name)


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed the random numbers of the training step, such as dropout, from (seed, rank, iteration)."""

    priority = 'VERY_HIGH'

    def before_train(self, runner: Any) -> None:
        """Check that the seed of the checkpoint equals the seed of the data order.

        At this point MMEngine has replaced the runner's seed by the checkpoint's; the sampler keeps the config's.
        """
        sampler = getattr(runner.train_dataloader.batch_sampler, 'sampler', None)
        seed = getattr(sampler, 'seed', runner.seed)
        if seed != runner.seed:
            raise ValueError(f'the checkpoint was trained with seed {runner.seed}, this run has seed {seed}. Resume '
                             f'with --cfg-options randomness.seed={runner.seed}')

    def before_train_epoch(self, runner: Any) -> None:
        """Seed all generators equally on all ranks, for samplers that shuffle with a global generator."""
        seed_everything(runner.seed, _EPOCH, runner.epoch)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed all generators for this rank and iteration, independent of data loading."""
        seed_everything(runner.seed, _ITERATION, runner.rank, runner.iter)


def make_reproducible(cfg: ConfigDict) -> None:
    """Rewrite a training config in place: seed samples and iterations, set the default seed 0."""
    cfg.setdefault('randomness', ConfigDict(seed=DEFAULT_SEED))
    if cfg.randomness.get('seed') is None:
        cfg.randomness.seed = DEFAULT_SEED
    cfg.randomness.pop('diff_rank_seed', None)  # every rank needs the sampler's seed
    loader = cfg.train_dataloader
    if loader.get('sampler') is None:  # default of torch's DataLoader
        loader.sampler = dict(type='DefaultSampler', shuffle=loader.pop('shuffle', False))
    if type_name(loader.sampler) != 'PositionSampler':
        loader.sampler = dict(type='PositionSampler', sampler=loader.sampler)
        loader.dataset = dict(type='PositionSeededDataset', dataset=loader.dataset)
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='IterationSeedHook')]
