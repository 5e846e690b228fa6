"""Training images of a classification config, without augmentation."""
from typing import NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from isda_seg.paper.features.split_data import split_loader
from isda_seg.run import CLASSIFICATION, task_name


class TrainingImages(NamedTuple):
    """All images, or those of one class."""
    images: Tensor              # (N, 3, H, W) uint8, RGB
    labels: Tensor              # (N,) int64
    classes: tuple[str, ...]    # the names of all C classes


def training_images(cfg: Config, wanted: str | None = None) -> TrainingImages:
    """The training images in their order, through the pipeline of the test data.

    Args:
        cfg: as ``load_config`` returns it.
        wanted: the name of a class; None for all.

    Raises:
        ValueError: another task, an unknown class, images of several sizes. FileNotFoundError: missing data.
    """
    if task_name(cfg) != CLASSIFICATION:
        raise ValueError('generators and the reverse mapping are for image classifiers: give a config of one, such as '
                         'configs/miniature/resnet8_digits.py')
    loader = split_loader(cfg, 'train')
    classes = tuple(loader.dataset.metainfo['classes'])
    if wanted is not None and wanted not in classes:
        raise ValueError(f'there is no class {wanted!r}; the classes are {", ".join(classes)}')
    images, labels = [], []
    try:
        for batch in loader:
            own = torch.ones_like(batch['labels']) if wanted is None else batch['labels'] == classes.index(wanted)
            images.append(batch['inputs'][own.bool()])
            labels.append(batch['labels'][own.bool()])
        return TrainingImages(torch.cat(images).flip(1), torch.cat(labels), classes)  # BGR to RGB
    except RuntimeError as error:  # of torch.stack and torch.cat
        raise ValueError(f'the training images are not of one size ({error}): add a Resize and a CenterCrop to '
                         'test_dataloader.dataset.pipeline') from error
