"""Modifications of a config for the runs of a series: seed, options, ISDA keys, held-out images."""
import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope

from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime.config_keys import merge_options

SAMPLE = ('sample', 'sample_seed', 'sample_from')  # arguments of CamVidDataset


def with_options(cfg: Config, seed: int | None = None, options: dict[str, Any] | None = None) -> Config:
    """Return a copy with a seed and with options as in --cfg-options.

    Raises:
        ValueError: unknown option.
    """
    cfg = copy.deepcopy(cfg)
    if options:
        merge_options(cfg, options)
    if seed is not None:
        cfg.randomness = dict(cfg.get('randomness') or {}, seed=seed)
        for node in dicts(cfg.get('train_dataloader')):
            if node.get('sample') is not None:  # every seed samples its own images
                node['sample_seed'] = seed
    return cfg


def with_isda(cfg: Config, **keys: Any) -> Config:
    """Return a copy with keys set in every ISDALoss and in the ISDAHook.

    Raises:
        ValueError: the config has neither of them.
    """
    cfg = copy.deepcopy(cfg)
    places = [node for node in dicts(cfg.model) if type_name(node) == 'ISDALoss']
    places += [node for node in dicts([cfg.get('default_hooks', {}), cfg.get('custom_hooks') or []])
               if type_name(node) == 'ISDAHook' and 'lambda_0' in node]
    if not places:
        raise ValueError(f'{cfg.filename} has neither an ISDALoss nor an ISDAHook with lambda_0. Use an ISDA '
                         'config')
    for place in places:
        place.update(keys)
    return cfg


def hold_out(cfg: Config, share: float) -> Config:
    """Return a copy that holds out the last ``share`` of the training files for evaluation.

    The last files are held out instead of random ones, because neighbouring frames of a video are similar. A config
    with ``indices`` keeps those that are not held out. A dataset with a ``split`` argument holds out images of every
    class by its seed. A ``TwoStreamDataset`` holds out labels by its seed.

    Raises:
        ValueError: ``share`` is outside (0, 1) or leaves no images; a wrapped dataset; both ``indices`` and ``split``.
    """
    if not 0 < share < 1:
        raise ValueError(f'the held-out share must be between 0 and 1, got {share}')
    cfg = copy.deepcopy(cfg)
    train = cfg.train_dataloader.dataset
    if _is_two_streams(train):
        return _labels(cfg, share)
    if 'dataset' in train or 'datasets' in train:
        raise ValueError(f'cannot hold out images of a {train.type}, which wraps other datasets')
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    if 'split' in train:
        return _split(cfg, share)
    whole = {key: value for key, value in train.items() if key not in SAMPLE}
    total = len(DATASETS.build({**whole, 'indices': None, 'lazy_init': False}))
    first = round(total * (1 - share))
    trained = train.get('indices')
    if trained is None:
        trained = range(total)
    elif isinstance(trained, int):  # MMEngine: the first ones, or the last ones if negative
        trained = range(total)[:trained] if trained >= 0 else range(total)[trained:]
    kept = [index for index in trained if range(total)[index] < first]
    if not kept or first == total:
        raise ValueError(f'a held-out share of {share} leaves {len(kept)} of {total} images for training and '
                         f'{total - first} for evaluation: use another share, or more images')
    for loader in ('val_dataloader', 'test_dataloader'):
        dataset = {**copy.deepcopy(whole), 'pipeline': cfg[loader].dataset.pipeline, 'test_mode': True,
                'indices': list(range(first, total))}
        cfg[loader].dataset = dataset
    train['sample_from' if len(whole) < len(train) else 'indices'] = kept
    return cfg


def _split(cfg: Config, share: float) -> Config:
    """Hold out images by the splits of the classification datasets."""
    train = cfg.train_dataloader.dataset
    if train.get('indices') is not None:
        raise ValueError(f'cannot hold out images of a {train.type} with both split and indices')
    train.split = 'train'
    train.holdout = round(training_images(cfg) * share)
    for loader in ('val_dataloader', 'test_dataloader'):
        cfg[loader].dataset = {**copy.deepcopy(train), 'split': 'held_out', 'test_mode': True,
                               'pipeline': cfg[loader].dataset.pipeline}
    train.split = 'train_rest'
    training_images(cfg)  # raises if the share leaves nothing
    return cfg


def _labels(cfg: Config, share: float) -> Config:
    """Hold out labels; the images stay in the unlabelled stream."""
    train = cfg.train_dataloader.dataset
    train.held_out = share
    for loader in ('val_dataloader', 'test_dataloader'):
        cfg[loader].dataset = {**copy.deepcopy({key: value for key, value in train.items() if key != 'views'}),
                               'type': 'HeldOutLabelsDataset', 'pipeline': cfg[loader].dataset.pipeline}
    training_images(cfg)  # raises if the share leaves nothing
    return cfg


def _is_two_streams(dataset: Any) -> bool:
    return type_name(dataset) == 'TwoStreamDataset'


def training_images(cfg: Config) -> int:
    """Return the number of training images, for semi-supervised configs the number of labelled ones."""
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    train = cfg.train_dataloader.dataset
    if _is_two_streams(train):
        return len(DATASETS.build(train).labelled_indices)
    return len(DATASETS.build({**train, 'lazy_init': False}))
