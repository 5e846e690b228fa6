"""Check of the first images of a split, as their pipeline returns them, before a run."""
import copy
from typing import Any

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS

from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime.isolation import random_states_kept
from isda_seg.segmentation.data_preprocessor import CheckedSegDataPreProcessor, check_label_size
from isda_seg.segmentation.protocols import SCALES, SIZES

LOADERS = {'img': 'LoadImageFromFile', 'img_shape': 'LoadImageFromFile', 'inputs': 'LoadImageFromFile',
           'gt_seg_map': 'LoadAnnotations', 'data_samples': 'PackSegInputs'}  # transforms by the key that they add


def check_first_images(cfg: Config, split: str) -> None:
    """Check the first training image, or the first batch of 'val' or 'test', with the sizes of its label maps.

    The first image of each concatenated dataset is checked too. Images in remote storage are loaded.
    """
    loader = cfg.get(f'{split}_dataloader')
    number = 0 if loader is None else 1 if split == 'train' else int(loader.get('batch_size') or 1)
    labelled = split == 'train' or any(type_name(metric) in ('IoUMetric', 'ClassIoUMetric') and not metric.get(
        'format_only') for metric in dicts(cfg.get(f'{split}_evaluator')))
    found = [[value[0] if isinstance(value, list) else value for value in (sample['inputs'], sample['data_samples'])]
             for sample in _first(cfg, split, number)]  # of several views the first
    for image, sample in found:
        if labelled and not any(key.startswith('gt_') for key in sample.keys()):
            raise _lacking(split, 'gt_seg_map')
        check_label_size(split, image, sample)
    if found:
        images, samples = zip(*found[:number], strict=True)
        CheckedSegDataPreProcessor()(dict(inputs=images, data_samples=samples))  # raises an error for different sizes


def check_views(cfg: Config, protocol: str) -> None:
    """Check on the first image of each test dataset that every scale of a protocol gives a separate size."""
    for sample in _first(cfg, 'test', 1) if protocol != 'single' else ():
        sizes = dict.fromkeys(tuple(view.shape[-2:]) for view in sample['inputs'])
        if len(sizes) < len(SCALES):
            found = ' or '.join(f'{width} x {height}' for height, width in sizes)
            raise ValueError(f'the protocol {protocol} needs views of several sizes, but all views of the first test '
                             f'image are {found}, for {len(SCALES)} scales. In test_dataloader.dataset.pipeline only '
                             f'{", ".join(SIZES)} may set the size; or use --protocols single')


def _first(cfg: Config, split: str, number: int) -> list[dict[str, Any]]:
    """Return the first samples in MMSegmentation's format, also the first of each concatenated dataset."""
    with DefaultScope.overwrite_default_scope('mmseg'), random_states_kept():
        try:
            dataset = DATASETS.build(copy.deepcopy(cfg[f'{split}_dataloader'].dataset)) if number else ()
            places = dict.fromkeys([*range(number), *getattr(dataset, 'cumulative_sizes', ())])
            samples = [dataset[index] for index in places if index < len(dataset)]
        except (ValueError, OSError, ImportError):  # errors that name their file
            raise
        except Exception as error:  # of a custom dataset or transform: the run shows it
            if isinstance(error, KeyError) and str(error).strip("'") in LOADERS:
                raise _lacking(split, error.args[0]) from error
            return []
    usual = any(type_name(node) == CheckedSegDataPreProcessor.__name__ for node in dicts(cfg.model))
    for sample in samples:
        for key in ('data_samples', 'inputs') if usual else ():
            if not isinstance(sample, dict) or key not in sample:
                raise _lacking(split, key)
    return [sample for sample in samples if isinstance(sample, dict) and {'inputs', 'data_samples'} <= sample.keys()]


def _lacking(split: str, key: str) -> ValueError:
    return ValueError(f'the pipeline of {split}_dataloader gives samples without {key}. Put {LOADERS[key]} into it, in '
                      'the order LoadImageFromFile, LoadAnnotations, PackSegInputs')
