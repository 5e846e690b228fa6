"""Check of the data files before a run."""
import json
import os
from typing import Any

from mmengine.config import Config
from mmengine.registry import DATASETS

from isda_seg.metrics.class_names import check_class_names
from isda_seg.openmmlab.config_nodes import dicts
from isda_seg.runtime.config_keys import type_of

REMEDY = 'put COCO there, set ISDA_SEG_DATA to the folder that holds it, or set data_root in the config'


def check_data(cfg: Config, splits: tuple[str, ...] = ('train', 'val')) -> None:
    """Check that all images exist and the annotations are complete, with masks if the config needs them."""
    for split in splits:
        for dataset in dicts(cfg.get(f'{split}_dataloader')):
            if dataset.get('metainfo'):
                check_class_names(dataset, type_of(dataset, DATASETS))
            if dataset.get('ann_file') and 'data_prefix' in dataset:
                _check_dataset(split, dataset)
        for evaluator in dicts(cfg.get(f'{split}_evaluator')):
            path = evaluator.get('ann_file')
            if path and '://' not in path:
                content = _read(split, path)
                if 'segm' in str(evaluator.get('metric')):
                    _require_masks(split, path, content, f'{split}_evaluator.metric=bbox')


def _check_dataset(split: str, dataset: dict[str, Any]) -> None:
    root = dataset.get('data_root') or ''
    path, folder = (os.path.join(root, name) for name in (dataset['ann_file'], dataset['data_prefix'].get('img', '')))
    if '://' in path or '://' in folder or not path.endswith('.json'):
        return
    content = _read(split, path)
    if any(step.get('with_mask') for step in dicts(dataset.get('pipeline'))):
        _require_masks(split, path, content, 'a detector without masks')
    if not os.path.isdir(folder):
        raise FileNotFoundError(f'the {split} image folder {folder} does not exist: {REMEDY}')
    listed, names = set(os.listdir(folder)), [image['file_name'] for image in content['images']]
    missing = [name for name in names if name not in listed and not os.path.isfile(os.path.join(folder, name))]
    if missing:
        raise FileNotFoundError(f'{len(missing)} of {len(names)} {split} images listed in {path} are missing; the '
                                f'first is {os.path.join(folder, missing[0])}')


def _read(split: str, path: str) -> dict[str, list[Any]]:
    """Read an annotation file in COCO format with at least one image and one box."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f'the {split} annotation file {path} does not exist: {REMEDY}')
    try:
        with open(path, encoding='utf-8') as file:
            content = json.load(file)
        images, annotations = content['images'], content['annotations']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f'{path} is truncated, damaged or not in COCO format') from error
    if not images or not annotations:
        raise ValueError(f'the {split} split is empty: {path} has {len(images)} images and {len(annotations)} boxes')
    return content


def _require_masks(split: str, path: str, content: dict[str, list[Any]], instead: str) -> None:
    without = sum(not annotation.get('segmentation') for annotation in content['annotations'])
    if without:
        raise ValueError(f'{without} of {len(content["annotations"])} objects of the {split} split in {path} have a '
                         f'box but no mask. Use annotations with masks, or {instead}')
