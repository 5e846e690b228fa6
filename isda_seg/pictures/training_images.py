"""The training images of a config as the network meets them in testing: not augmented, all of one size."""
from typing import NamedTuple

import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import Tensor

from isda_seg.classification.data.image_dataset import ClassificationDataset


class Images(NamedTuple):
    """Images of one class, or of all."""
    images: Tensor              # (N, 3, H, W) uint8, RGB
    labels: Tensor              # (N,) int64
    classes: tuple[str, ...]    # the names of all C classes


def training_images(cfg: Config, wanted: str | None = None) -> Images:
    """The training images of a classification config, in its order, through the pipeline of its test data.

    Args:
        wanted: the name of a class; None for all.

    Raises:
        ValueError: data of another task, an unknown class, images of several sizes.
    """
    dataset = training_dataset(cfg)
    classes = tuple(dataset.metainfo['classes'])
    if wanted is not None and wanted not in classes:
        raise ValueError(f'there is no class {wanted!r}; the classes are {", ".join(classes)}')
    chosen = [index for index in range(len(dataset))
              if wanted is None or classes[dataset.get_cat_ids(index)[0]] == wanted]
    items = [dataset[index] for index in chosen]
    shapes = {tuple(item['inputs'].shape) for item in items}
    if len(shapes) != 1:
        raise ValueError(f'images of one size expected, got {len(items)} of the sizes {sorted(shapes)[:5]}: add a '
                         'Resize and a CenterCrop to test_dataloader.dataset.pipeline')
    images = torch.stack([item['inputs'] for item in items]).flip(1)  # BGR to RGB
    return Images(images, torch.tensor([item['labels'] for item in items]), classes)


def training_dataset(cfg: Config) -> ClassificationDataset:
    """The training data of a classification config, through the pipeline of its test data.

    Raises:
        ValueError: data of another task, or wrapped by what changes them.
    """
    test = cfg.test_dataloader.dataset
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=test.get('pipeline', [])))
    if not isinstance(dataset, ClassificationDataset):
        raise ValueError(f'pictures are made for image classifiers trained on one of CIFARDataset, SVHNDataset, '
                         f'DigitsDataset, ImageFolderDataset, got a {type(dataset).__name__}')
    return dataset
