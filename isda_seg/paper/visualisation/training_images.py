"""Training images of a classification config, without data augmentation."""
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from isda_seg.paper.features.split_data import split_loader
from isda_seg.run import CLASSIFICATION, task_name


class TrainingImages(NamedTuple):
    """Training images, of all classes or of one class."""
    images: Tensor              # (N, 3, H, W) uint8, RGB
    labels: Tensor              # (N,) int64
    classes: tuple[str, ...]    # names of all C classes


def training_images(cfg: Config, class_name: str | None = None) -> TrainingImages:
    """Load the training images in order, with the test pipeline.

    Args:
        cfg: config from ``load_config``.
        class_name: class name; None for all classes.

    Raises:
        ValueError: not a classification config, an unknown class, or images of different sizes.
        FileNotFoundError: missing data.
    """
    if task_name(cfg) != CLASSIFICATION:
        raise ValueError('generators and the reverse mapping need the config of an image classifier, for example '
                         'configs/miniature/resnet8_digits.py')
    loader = split_loader(cfg, 'train')
    dataset: Any = loader.dataset
    classes = tuple(dataset.metainfo['classes'])
    if class_name is not None and class_name not in classes:
        raise ValueError(f'unknown class {class_name!r}. Choose from {", ".join(classes)}')
    images, labels = [], []
    try:
        for batch in loader:
            selected = slice(None) if class_name is None else batch['labels'] == classes.index(class_name)
            images.append(batch['inputs'][selected])
            labels.append(batch['labels'][selected])
        return TrainingImages(torch.cat(images).flip(1), torch.cat(labels), classes)  # BGR to RGB
    except RuntimeError as error:  # raised by torch.stack and torch.cat
        raise ValueError(f'the training images have different sizes ({error}). Add a Resize and a CenterCrop to '
                         'test_dataloader.dataset.pipeline') from error
