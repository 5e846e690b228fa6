"""Data of a split in order, with the test pipeline."""
import copy
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor
from torch.utils.data import DataLoader

from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.run import task_of
from isda_seg.segmentation.loading import check_loading

SPLITS = ('test', 'val', 'train')


def split_loader(cfg: Config, split: str, augmented: bool = False) -> DataLoader[Any]:
    """Build the dataloader of ``split_config``, with the same arguments and errors and validating transforms."""
    cfg = copy.deepcopy(cfg)
    check_loading(cfg)
    loader = split_config(cfg, split, augmented)
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        return Runner.build_dataloader(loader)


def split_config(cfg: Config, split: str, augmented: bool = False) -> dict[str, Any]:
    """Return a dataloader config that yields each image of a split once, in order, with the test pipeline.

    With ``augmented``, it has the batch size and the pipeline of the split instead; the order stays sequential.

    Raises:
        ValueError: the split is unknown or not in the config.
        FileNotFoundError: missing data.
    """
    if split not in SPLITS or cfg.get(f'{split}_dataloader') is None:
        available = [name for name in SPLITS if cfg.get(f'{name}_dataloader') is not None]
        raise ValueError(f'the config has no data for --split {split}. Choose one of {", ".join(available)}')
    task_of(cfg).check_data(cfg, (split,))
    dataloader = cfg[f'{split}_dataloader']
    template = dataloader if augmented else cfg.get('test_dataloader') or cfg.val_dataloader
    dataset = copy.deepcopy(dataloader.dataset)
    if type_name(dataset) == 'TwoStreamDataset':  # use all images, with labels
        dataset = dict(dataset.dataset, pipeline=dataset.pipeline)
    if split == 'train' and not augmented:
        pipeline = next(node['pipeline'] for node in dicts(template.dataset) if 'pipeline' in node)
        for node in dicts(dataset):
            if 'pipeline' in node:
                node['pipeline'] = copy.deepcopy(pipeline)
    loader = dict(copy.deepcopy(template), dataset=dataset, sampler=dict(type='DefaultSampler', shuffle=False))
    loader.pop('batch_sampler', None)
    return loader


def labels_of(data: dict[str, Any], ignore_index: int) -> Tensor:
    """Return the int64 labels (B,) or label maps (B, H, W) of a preprocessed batch.

    The padding of the preprocessor gets the label ``ignore_index``.

    Raises:
        ValueError: images without labels.
    """
    samples = data.get('data_samples') or []
    maps = [_padded(sample, ignore_index) for sample in samples if 'gt_sem_seg' in sample]
    labels = torch.stack(maps) if maps else data.get('labels')
    if labels is None or len(maps) < len(samples):
        raise ValueError('some images of this split have no labels. Choose another --split; in segmentation, check '
                         'that the pipeline has LoadAnnotations')
    return labels.long()


def _padded(sample: Any, ignore_index: int) -> Tensor:
    """Return the label map (H, W), padded like the image."""
    labels: Tensor = sample.gt_sem_seg.data[0]
    if 'img_padding_size' not in sample:
        return labels
    _, right, _, bottom = sample.img_padding_size
    height, width = sample.img_shape[:2]
    margin = 0, round(right * labels.shape[1] / width), 0, round(bottom * labels.shape[0] / height)
    return F.pad(labels.long(), margin, value=ignore_index)
