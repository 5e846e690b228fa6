"""MMSeg's two loading transforms, with errors that name the file and what is wrong with it."""
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
from isda_seg.runtime.config_keys import dicts, type_name

VOID = 255  # what MMSegmentation makes of label 0 with reduce_zero_label


@TRANSFORMS.register_module()
class LoadCheckedImage(mmcv.transforms.LoadImageFromFile):
    """LoadImageFromFile; FileNotFoundError or ValueError that names the image."""

    def transform(self, results: dict) -> dict | None:
        """Add ``img`` (H, W, 3), as the base class does."""
        try:
            return super().transform(results)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'the image {results["img_path"]} does not exist') from error
        except Exception as error:
            raise ValueError(f'{results["img_path"]} is no image that can be read') from error


@TRANSFORMS.register_module()
class LoadCheckedAnnotations(LoadAnnotations):
    """LoadAnnotations that checks existence, size, channels and values of the label map.

    Numbers are read as the file holds them: MMSegmentation's own transform wraps those above 255 into other classes.

    Args:
        num_classes: C; labels in 0..C-1 or ``ignore_index`` are good.
        ignore_index: void label.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.num_classes, self.ignore_index = num_classes, ignore_index

    def _load_seg_map(self, results: dict) -> None:
        path = results['seg_map_path']
        try:
            content = fileio.get(path, backend_args=self.backend_args)
            labels: np.ndarray = mmcv.imfrombytes(content, flag='unchanged', backend=self.imdecode_backend).squeeze()
        except FileNotFoundError as error:
            raise FileNotFoundError(f'the image {results["img_path"]} has no label map {path}') from error
        except (OSError, AttributeError, ValueError) as error:
            raise ValueError(f'{path} is no label map that can be read') from error
        if labels.ndim != 2:
            raise ValueError(f'the label map {path} has {labels.shape[-1]} channels; one channel of class numbers is '
                             'expected, not colours')
        if labels.shape != tuple(results['ori_shape'][:2]):
            raise ValueError(f'the label map {path} is {labels.shape[1]} x {labels.shape[0]}, its image '
                             f'{results["ori_shape"][1]} x {results["ori_shape"][0]}')
        if labels.dtype.kind not in 'uib':
            raise ValueError(f'the label map {path} holds {labels.dtype} numbers; class numbers are integers')
        results['gt_seg_map'] = self._classes(labels.astype(np.int32), results).astype(np.uint8)
        results['seg_fields'].append('gt_seg_map')

    def _classes(self, numbers: np.ndarray, results: dict) -> np.ndarray:
        """Class numbers from those in the file (H, W): without label 0 and mapped, where the dataset says so."""
        classes = numbers
        if results['reduce_zero_label'] if self.reduce_zero_label is None else self.reduce_zero_label:
            classes = np.where((numbers == 0) | (numbers == VOID), VOID, numbers - 1)
        before = classes
        for old, new in (results.get('label_map') or {}).items():
            classes = np.where(before == old, new, classes)
        wrong = ((classes < 0) | (classes >= self.num_classes)) & (classes != self.ignore_index)
        if wrong.any():
            own, made = int(numbers[wrong][0]), int(classes[wrong][0])
            source = results['seg_map_path'] + ('' if own == made else f', made of {own} by label_map or '
                                                'reduce_zero_label,')
            check_labels(torch.from_numpy(classes[wrong][:1]), self.num_classes, self.ignore_index, [source])
        return classes


def check_loading(cfg: Config) -> None:
    """Put the checked transforms in the place of MMSeg's, in every pipeline of the config."""
    head = cfg.model.get('decode_head', {})
    head = head[-1] if isinstance(head, list) else head
    if 'num_classes' not in head:
        return
    num_classes, ignore_index = head.num_classes, head.get('ignore_index', 255)
    for node in dicts([cfg.get(f'{split}_dataloader') for split in ('train', 'val', 'test')]):
        if type_name(node) == 'LoadImageFromFile':
            node['type'] = 'LoadCheckedImage'
        elif type_name(node) == 'LoadAnnotations':
            node.update(type='LoadCheckedAnnotations', num_classes=num_classes, ignore_index=ignore_index)
