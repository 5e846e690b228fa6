"""MMSegmentation's loading transforms with validation; errors name the file."""
from typing import Any

import mmcv
import mmcv.transforms
import numpy as np
import torch
from mmengine import fileio
from mmengine.config import Config
from mmseg.datasets.transforms import LoadAnnotations
from mmseg.registry import TRANSFORMS

from isda_seg.core.ops.checks import check_labels
from isda_seg.openmmlab.config_nodes import dicts, named_dicts, type_name
from isda_seg.runtime.config_keys import type_of
from isda_seg.runtime.user_errors import reading_error
from isda_seg.segmentation.decode_head import IGNORED, ignored, num_classes
from isda_seg.segmentation.protocols import SIZES

UNDONE = {*SIZES, 'ResizeToMultiple', 'RandomFlip', 'Pad'}
MOVES = UNDONE | {'SegRescale', 'RandomCrop', 'CenterCrop', 'RandomRotate', 'RandomRotFlip', 'RandomMosaic'}


@TRANSFORMS.register_module()
class LoadCheckedImage(mmcv.transforms.LoadImageFromFile):
    """LoadImageFromFile that raises a FileNotFoundError or ValueError with the name of the image."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Add ``img`` (H, W, 3), as the base class does."""
        try:
            return super().transform(results)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'the image {results["img_path"]} does not exist') from error
        except Exception as error:
            raise reading_error('image', results['img_path'], error) from error


@TRANSFORMS.register_module()
class LoadCheckedAnnotations(LoadAnnotations):
    """LoadAnnotations that validates existence, size, channels and values of the label map.

    Values above 255 are kept; MMSegmentation's own transform casts to uint8, which turns them into other classes.
    ``gt_seg_map`` (H, W) is uint8 as there if that holds all classes and the ignored label, else int32.

    Args:
        num_classes: C; valid labels are 0..C-1 and ``ignore_index``.
        ignore_index: label of ignored pixels.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes, self.ignore_index = num_classes, ignore_index
        self.dtype = np.uint8 if num_classes <= 256 and 0 <= ignore_index <= 255 else np.int32
        if abs(ignore_index) > np.iinfo(np.int32).max:
            raise ValueError(f'label maps hold labels up to {np.iinfo(np.int32).max}, got ignore_index={ignore_index}')

    def _load_seg_map(self, results: dict[str, Any]) -> None:
        path = results['seg_map_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            labels: np.ndarray = mmcv.imfrombytes(content, flag='unchanged', backend=self.imdecode_backend)
            labels = labels[..., 0] if labels.ndim == 3 and labels.shape[-1] == 1 else labels
        except FileNotFoundError as error:
            raise FileNotFoundError(f'the image {results["img_path"]} has no label map {path}') from error
        except Exception as error:
            raise reading_error('label map', path, error) from error
        if labels.ndim != 2:
            raise ValueError(f'the label map {path} has {labels.shape[-1]} channels, expected one channel of class '
                             'indices. Convert colours to class indices')
        if 'ori_shape' in results and labels.shape != tuple(results['ori_shape'][:2]):
            turned = labels.shape == tuple(results['ori_shape'][1::-1])
            raise ValueError(f'the label map {path} has size {labels.shape[1]} x {labels.shape[0]}, but its image has '
                             f'{results["ori_shape"][1]} x {results["ori_shape"][0]}'
                             + (". If the image has an EXIF orientation, set color_type='color_ignore_orientation' in "
                                'LoadImageFromFile' if turned else ''))
        if labels.dtype.kind not in 'uib':
            raise ValueError(f'the label map {path} has dtype {labels.dtype}, expected integers. Save '
                             'it as a PNG of class indices')
        results['gt_seg_map'] = self._classes(labels.astype(np.int64), results).astype(self.dtype)
        results['seg_fields'].append('gt_seg_map')

    def _classes(self, numbers: np.ndarray, results: dict[str, Any]) -> np.ndarray:
        """Convert the values (H, W) of a label map to class indices, by ``reduce_zero_label`` and ``label_map``."""
        classes, ignored_label = numbers, IGNORED
        if self.num_classes > IGNORED:  # 255 is a class
            ignored_label = self.ignore_index
            unused = [old for old, new in (results.get('label_map') or {}).items() if new == IGNORED]
            if len(unused) > 1:
                raise ValueError(f'label_map maps {len(unused)} labels of {results["seg_map_path"]} to {IGNORED}, '
                                 f'which is one of the {self.num_classes} classes, so it cannot mark ignored labels: '
                                 f'replace them in the files by the ignore index {self.ignore_index}')
        if results['reduce_zero_label'] if self.reduce_zero_label is None else self.reduce_zero_label:
            classes = np.where((numbers == 0) | (numbers == ignored_label), ignored_label, numbers - 1)
        before = classes
        for old, new in (results.get('label_map') or {}).items():
            classes = np.where(before == old, new, classes)
        wrong = ((classes < 0) | (classes >= self.num_classes)) & (classes != self.ignore_index)
        if wrong.any():
            own, made = int(numbers[wrong][0]), int(classes[wrong][0])
            source = results['seg_map_path'] + ('' if own == made else f', mapped from {own} by label_map '
                                                'or reduce_zero_label,')
            check_labels(torch.from_numpy(classes[wrong][:1]), self.num_classes, self.ignore_index, [source])
        return classes


def check_loading(cfg: Config) -> None:
    """Replace MMSegmentation's loading transforms by the validating ones in every pipeline of the config."""
    if classes := num_classes(cfg):
        checked_loading([cfg.get(f'{split}_dataloader') for split in ('train', 'val', 'test')], classes, ignored(cfg))


def check_order(cfg: Config, split: str) -> None:
    """Check that labels are loaded before every training transform that moves pixels.

    Predictions are resized to the image file and flipped back, so for 'val' and 'test' labels are loaded after this.
    """
    wrong = MOVES if split == 'train' else MOVES - UNDONE
    for name, node in named_dicts(cfg.get(f'{split}_dataloader'), f'{split}_dataloader'):
        steps = [(f'{type_name(step)} ({where})', {kind.__name__ for kind in getattr(
            type_of(step, TRANSFORMS), '__mro__', ())})  # also a subclass of a user
                 for where, step in named_dicts(node.get('pipeline'), f'{name}.pipeline') if step.get('prob') != 0]
        loaded = [number for number, (_, kinds) in enumerate(steps) if 'LoadAnnotations' in kinds]
        for number, (what, kinds) in enumerate(steps if loaded else ()):
            if number < loaded[-1] and kinds & wrong:
                raise ValueError(f'{what} comes before LoadAnnotations, so it changes the image but not its labels. '
                                 + ('Move LoadAnnotations before it' if split == 'train' else 'Remove it'))
            if number > loaded[-1] and 'RandomFlip' in kinds and split != 'train':
                raise ValueError(f'{what} comes after LoadAnnotations, so it flips the labels, but predictions are '
                                 'flipped back. Move LoadAnnotations after it')


def checked_loading(node: Any, num_classes: int, ignore_index: int) -> None:
    """Replace MMSegmentation's loading transforms by the validating ones in nested dicts and lists, in place."""
    for step in dicts(node):
        if type_name(step) == 'LoadImageFromFile':
            step['type'] = 'LoadCheckedImage'
        elif type_name(step) == 'LoadAnnotations':
            step.update(type='LoadCheckedAnnotations', num_classes=num_classes, ignore_index=ignore_index)
