"""Check of the first images of a split, as their pipeline returns them, before a run."""
import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS

from isda_seg.segmentation.protocols import SCALES, SIZES


def check_first_images(cfg: Config, split: str) -> None:
    """Check the first batch of 'val' or 'test': its label maps and, with several images, their sizes.

    The label map of the first image of each concatenated dataset is checked too. Images in remote storage are loaded.
    """
    loader = cfg.get(f'{split}_dataloader')
    number = int(loader.get('batch_size') or 1) if loader is not None else 0
    sizes = []
    for sample in _first(loader, number):
        inputs, data = sample['inputs'], sample['data_samples']
        inputs, data = (inputs[0], data[0]) if isinstance(inputs, list) else (inputs, data)  # several views
        sizes.append(tuple(inputs.shape[-2:]))
        check_label_size(data, f'{split}_dataloader.dataset.pipeline')
    if len(set(sizes[:number])) > 1:
        found = ', '.join(f'{width} x {height}' for height, width in dict.fromkeys(sizes[:number]))
        raise ValueError(f'{split}_dataloader.batch_size is {number}, but its first images have different sizes: '
                         f'{found}. Set {split}_dataloader.batch_size=1')


def check_label_size(data: Any, pipeline: str = 'the test pipeline') -> None:
    """Raise ValueError if the label map of a sample does not have the size of the image file, as predictions do."""
    if 'gt_sem_seg' not in data or 'ori_shape' not in data:
        return
    found, wanted = tuple(data.gt_sem_seg.data.shape[-2:]), tuple(data.ori_shape[:2])
    if found != wanted:
        raise ValueError(f'the label map of {data.get("img_path")} is {found[1]} x {found[0]} after {pipeline}, but '
                         f'predictions have the size of the image file, {wanted[1]} x {wanted[0]}. Put LoadAnnotations '
                         'behind the transforms that change the size of the image, such as Resize and Pad')


def check_views(cfg: Config, protocol: str) -> None:
    """Check on the first image of each test dataset that every scale of a protocol gives a separate size."""
    for sample in _first(cfg.test_dataloader, 1) if protocol != 'single' else ():
        sizes = dict.fromkeys(tuple(view.shape[-2:]) for view in sample['inputs'])
        if len(sizes) < len(SCALES):
            found = ' or '.join(f'{width} x {height}' for height, width in sizes)
            raise ValueError(f'the protocol {protocol} needs views of several sizes, but all views of the first test '
                             f'image are {found}, for {len(SCALES)} scales. In test_dataloader.dataset.pipeline only '
                             f'{", ".join(SIZES)} may set the size; or use --protocols single')


def _first(loader: Any, number: int) -> list[dict[str, Any]]:
    """Return the first samples in MMSegmentation's format, also the first of each concatenated dataset."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        try:
            dataset = DATASETS.build(copy.deepcopy(loader.dataset)) if number else ()
            places = dict.fromkeys([*range(number), *getattr(dataset, 'cumulative_sizes', ())])
            samples = [dataset[index] for index in places if index < len(dataset)]
        except (ValueError, OSError, ImportError):  # errors that name their file
            raise
        except Exception:  # of a custom dataset or transform: the run shows it
            return []
    return [sample for sample in samples if isinstance(sample, dict) and {'inputs', 'data_samples'} <= sample.keys()]
