"""Estimates of a run before it starts: iterations, GPU hours and disk space."""
import copy
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from isda_seg import compat
from isda_seg.openmmlab.config_nodes import dicts, type_name


class Source(NamedTuple):
    """Published data set."""
    title: str
    where: str                # where to get it, and in which layout
    images: Mapping[str, int]  # split -> number of images


SOURCES = {
    'cityscapes': Source('Cityscapes', 'https://www.cityscapes-dataset.com/downloads/ (free registration): unpack '
                         'leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, then run csCreateTrainIdLabelImgs '
                         'of the package cityscapesScripts', dict(train=2975, val=500)),
    'cifar10': Source('CIFAR-10', 'https://www.cs.toronto.edu/~kriz/cifar.html: cifar-10-python.tar.gz',
                      dict(train=50_000, val=10_000)),
    'cifar100': Source('CIFAR-100', 'https://www.cs.toronto.edu/~kriz/cifar.html: cifar-100-python.tar.gz',
                       dict(train=50_000, val=10_000)),
    'svhn': Source('SVHN', 'http://ufldl.stanford.edu/housenumbers/: train_32x32.mat and test_32x32.mat',
                   dict(train=73_257, val=26_032)),
    'imagenet': Source('ImageNet', 'https://image-net.org/download.php (free registration): ILSVRC2012, as '
                       'train/<class> and val/<class>', dict(train=1_281_167, val=50_000)),
    'coco': Source('COCO 2017', 'https://cocodataset.org/#download: train2017, val2017 and annotations',
                   dict(train=118_287, val=5_000))}


def data_root(cfg: Config, split: str = 'train') -> str:
    """Return the data folder of a split."""
    return next(str(node['data_root']) for node in dicts(cfg.get(f'{split}_dataloader')) if node.get('data_root'))


def source_of(cfg: Config) -> Source | None:
    """Return the published data set of a config by the name of its folder."""
    return SOURCES.get(Path(data_root(cfg)).name)


def iterations(cfg: Config, ranks: int) -> int | None:
    """Return the number of training steps; None for epochs over a data set of unknown size."""
    if 'max_iters' in cfg.train_cfg:
        return int(cfg.train_cfg.max_iters)
    source = source_of(cfg)
    if source is None:
        return None
    return math.ceil(source.images['train'] / (int(cfg.train_dataloader.batch_size) * ranks)) * int(
        cfg.train_cfg.max_epochs)


def kept_checkpoints(cfg: Config) -> int:
    """Return the largest number of checkpoints that a run has at the same time, the one being written included."""
    hook = cfg.get('default_hooks', {}).get('checkpoint') or {}
    length = int(cfg.train_cfg.get('max_iters') or cfg.train_cfg.get('max_epochs') or 1)
    number = math.ceil(length / max(1, int(hook.get('interval', 1))))
    most = int(hook.get('max_keep_ckpts', -1))
    return (min(number, most) if most > 0 else number) + 1


def checkpoint_bytes(cfg: Config) -> int:
    """Return the size of a checkpoint: weights, buffers, momentum and ISDA's statistics, on the meta device.

    Raises:
        ImportError: the model needs a package that is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        compat.import_segmentation()
    cfg = copy.deepcopy(cfg)
    with warnings.catch_warnings(), torch.device('meta'), DefaultScope.overwrite_default_scope(
            cfg.get('default_scope', 'mmengine')):
        warnings.simplefilter('ignore')  # of MMSegmentation, about its own config keys
        model = MODELS.build(cfg.model)
    weights = sum(each.numel() * each.element_size() for each in model.parameters())
    buffers = sum(each.numel() * each.element_size() for each in model.buffers())
    return 2 * weights + buffers + sum(_statistics_bytes(cfg, layer) for layer in model.modules())


def _statistics_bytes(cfg: Config, layer: torch.nn.Module) -> int:
    """Return the size of the statistics of a classifier, 0 for other layers and without ISDA."""
    hook = next((node for node in dicts(cfg.get('default_hooks', {})) if type_name(node) == 'ISDAHook'), None)
    classes = {node['num_classes'] for node in dicts(cfg.model) if node.get('num_classes')}
    weight: Any = layer._parameters.get('weight')
    if hook is None or weight is None or weight.ndim < 2 or weight.shape[0] not in classes or \
            weight[0].numel() != weight.shape[1]:
        return 0
    count, channels = weight.shape[:2]
    covariance = dict(full=count * channels ** 2, shared=channels ** 2).get(hook.get('covariance', 'diagonal'),
                                                                            count * channels)
    return 8 * count * channels + 4 * covariance  # the mean is float64
