"""How the runs of a series differ: seeds, keys of ISDA, training images held out."""
import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from isda_seg.runtime.config_keys import check_options, dicts, type_name

SAMPLE = ('sample', 'sample_seed', 'sample_from')  # of a CamVidDataset


def with_options(cfg: Config, seed: int | None = None, options: dict[str, Any] | None = None) -> Config:
    """A copy with a seed and with options, as --cfg-options.

    Raises:
        ValueError: an option that nothing reads.
    """
    cfg = copy.deepcopy(cfg)
    if options:
        check_options(cfg, options)
        cfg.merge_from_dict(options)
    if seed is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
        for node in dicts(cfg.get('train_dataloader')):
            if node.get('sample') is not None:  # every seed draws its own images
                node['sample_seed'] = seed
    return cfg


def with_isda(cfg: Config, **keys: Any) -> Config:
    """A copy with keys set of every ISDALoss in the model and of the hook that makes them.

    Raises:
        ValueError: the config has neither.
    """
    cfg = copy.deepcopy(cfg)
    places = [node for node in dicts(cfg.model) if type_name(node) == 'ISDALoss']
    places += [node for node in dicts([cfg.get('default_hooks', {}), cfg.get('custom_hooks') or []])
               if type_name(node) == 'ISDAHook' and 'lambda_0' in node]
    if not places:
        raise ValueError(f'{cfg.filename} has neither an ISDALoss nor an ISDAHook with lambda_0, so there is nothing '
                         'to vary')
    for place in places:
        place.update(keys)
    return cfg


def hold_out(cfg: Config, share: float) -> Config:
    """A copy that trains without the last ``share`` of the training files and is evaluated on them alone.

    The last ones and not random ones: neighbouring frames of a video are alike. A config that trains on some images
    only (``indices``) goes on with those of them that are not held out. A dataset with splits of its own (``split``)
    holds out images of every class by its seed; a ``TwoStreamDataset`` holds out labels, and its own seed chooses them.

    Raises:
        ValueError: a share outside 0..1, one that leaves nothing, a wrapped dataset, ``indices`` beside ``split``.
    """
    if not 0 < share < 1:
        raise ValueError(f'the share held out must lie between 0 and 1, got {share}')
    cfg = copy.deepcopy(cfg)
    train = cfg.train_dataloader.dataset
    if _two_streams(train):
        return _labels(cfg, share)
    if 'dataset' in train or 'datasets' in train:
        raise ValueError(f'cannot hold out images of a {train.type}, which wraps other datasets')
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    if 'split' in train:
        return _split(cfg, share)
    whole = {key: value for key, value in train.items() if key not in SAMPLE}
    total = len(DATASETS.build({**whole, 'indices': None, 'lazy_init': False}))
    first = round(total * (1 - share))
    own = train.get('indices')
    if own is None:
        own = range(total)
    elif isinstance(own, int):  # as MMEngine reads it: the first ones, or the last ones where it is negative
        own = range(total)[:own] if own >= 0 else range(total)[own:]
    kept = [index for index in own if range(total)[index] < first]
    if not kept or first == total:
        raise ValueError(f'holding out {share} of {total} training images leaves {len(kept)} to train on and '
                         f'{total - first} to evaluate on')
    for loader in ('val_dataloader', 'test_dataloader'):
        held = {**copy.deepcopy(whole), 'pipeline': cfg[loader].dataset.pipeline, 'test_mode': True,
                'indices': list(range(first, total))}
        cfg[loader].dataset = held
    train['sample_from' if len(whole) < len(train) else 'indices'] = kept
    return cfg


def _split(cfg: Config, share: float) -> Config:
    """``hold_out`` by the splits of our classification datasets."""
    train = cfg.train_dataloader.dataset
    if train.get('indices') is not None:
        raise ValueError(f'cannot hold out images of a {train.type} with both split and indices')
    train.split = 'train'
    train.holdout = round(training_images(cfg) * share)
    for loader in ('val_dataloader', 'test_dataloader'):
        cfg[loader].dataset = {**copy.deepcopy(train), 'split': 'held_out', 'test_mode': True,
                               'pipeline': cfg[loader].dataset.pipeline}
    train.split = 'train_rest'
    training_images(cfg)  # refuses a share that leaves nothing
    return cfg


def _labels(cfg: Config, share: float) -> Config:
    """``hold_out`` of labels: the images stay among the unlabelled ones."""
    train = cfg.train_dataloader.dataset
    train.held_out = share
    for loader in ('val_dataloader', 'test_dataloader'):
        cfg[loader].dataset = {**copy.deepcopy({key: value for key, value in train.items() if key != 'views'}),
                               'type': 'HeldOutLabelsDataset', 'pipeline': cfg[loader].dataset.pipeline}
    training_images(cfg)  # refuses a share that leaves nothing
    return cfg


def _two_streams(dataset: Any) -> bool:
    return type_name(dataset) == 'TwoStreamDataset'


def training_images(cfg: Config) -> int:
    """How many images a config trains on; how many labelled ones where others are unlabelled."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    train = cfg.train_dataloader.dataset
    if _two_streams(train):
        return DATASETS.build(train).num_labelled
    return len(DATASETS.build({**train, 'lazy_init': False}))
