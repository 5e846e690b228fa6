"""Training images of a classification config, without data augmentation."""
from typing import Any, NamedTuple

import torch
from mmengine.config import Config
from torch import Tensor

from isda_seg.metrics.class_names import unique_names
from isda_seg.paper.features.split_data import split_loader
from isda_seg.run import CLASSIFICATION, task_name


class TrainingImages(NamedTuple):
    """Training images, of all classes or of one class."""
    images: Tensor              # (N, 3, H, W) uint8, RGB
    labels: Tensor              # (N,) int64
    classes: tuple[str, ...]    # names of all C classes


def training_images(cfg: Config, class_name: str | None = None) -> TrainingImages:
    """Load the training images in order, with the test pipeline.

    A ``class_name`` selects the images of one class.

    Raises:
        ValueError: not a classification config, an unknown class, or images of different sizes.
        FileNotFoundError: missing data.
    """
    if task_name(cfg) != CLASSIFICATION:
        raise ValueError('generators and the reverse mapping need the config of an image classifier, but this is for '
                         f'{task_name(cfg)}. Use for example configs/miniature/resnet8_digits.py')
    loader = split_loader(cfg, 'train')
    dataset: Any = loader.dataset
    classes = tuple(unique_names(dataset.metainfo['classes']))
    if class_name is not None and class_name not in classes:
        raise ValueError(f'unknown class {class_name!r}. Choose from {", ".join(classes)}')
    loader.collate_fn = list  # without stacking, which fails for different sizes
    items = [item for batch in loader for item in batch if class_name in (None, classes[item['labels']])]
    sizes = sorted({tuple(item['inputs'].shape[1:]) for item in items})
    if len(sizes) > 1:
        found = ' and '.join(f'{height} x {width}' for height, width in (sizes[0], sizes[-1]))
        raise ValueError(f'the training images have different sizes, such as {found}. Add a Resize and a CenterCrop to '
                         'test_dataloader.dataset.pipeline')
    images = torch.stack([item['inputs'] for item in items]).flip(1)  # BGR to RGB
    return TrainingImages(images, torch.tensor([item['labels'] for item in items]), classes)
