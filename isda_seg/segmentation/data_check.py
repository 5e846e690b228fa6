"""Check of the data files before a run."""
import logging
import os
from typing import Any

from mmengine import fileio
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS
from mmseg.utils import register_all_modules

from isda_seg.metrics.class_names import check_class_names
from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime.config_keys import type_of
from isda_seg.segmentation.decode_head import num_classes

LISTS = ('.txt', '.lst', '.list')  # suffixes of lists with one image per line


def check_data(cfg: Config, splits: tuple[str, ...] = ('train', 'val')) -> None:
    """Check that every split has images and every image has a label map.

    Folders are checked through the file backend of the dataset. Files in remote storage are not checked, because each
    check would be a request; neither are datasets without MMSegmentation's ``load_data_list``.
    """
    register_all_modules(init_default_scope=False)
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        for dataset in (node for node in dicts(loader) if 'data_prefix' in node):
            local = _check_folders(split, dataset)
            check_class_names(dataset, type_of(dataset, DATASETS))
            built = _built(dataset)
            if built is not None:
                _check_list(split, built)
                _check_classes(cfg, split, built)
                _check_files(split, dataset, built, local)


def _built(dataset: dict[str, Any]) -> Any:
    """Build a dataset without loading it; return None if it has no ``load_data_list``."""
    try:
        with DefaultScope.overwrite_default_scope('mmseg'):  # another scope may be active
            built = DATASETS.build(dict(dataset, pipeline=[], lazy_init=True))
    except TypeError:  # a custom dataset with other arguments
        return None
    return built if hasattr(built, 'load_data_list') else None


def _check_folders(split: str, dataset: dict[str, Any]) -> bool:
    """Check that all folders exist; return whether all are in the local file system."""
    local = True
    for key, prefix in dataset['data_prefix'].items():
        folder = os.path.join(dataset.get('data_root') or '', prefix or '')
        backend: Any = fileio.get_file_backend(folder, backend_args=dataset.get('backend_args'))
        local = local and isinstance(backend, LocalBackend)
        try:
            there = backend.isdir(folder)
        except (AttributeError, NotImplementedError):  # storage without folders
            there = True
        if not there:
            raise FileNotFoundError(f'the {split} data folder {folder} ({key}) does not exist. Put the dataset there, '
                                    'set ISDA_SEG_DATA to the folder that holds it, or set data_root in the config')
    return local


def _check_list(split: str, dataset: Any) -> None:
    path = str(getattr(dataset, 'ann_file', None) or '')
    if not path or os.path.isdir(path) or not path.endswith(LISTS) or not isinstance(
            fileio.get_file_backend(path, backend_args=dataset.backend_args), LocalBackend):
        return
    what, folder = f'the list {path} of the {split} images (ann_file)', dataset.data_prefix.get('img_path')
    if not os.path.isfile(path):
        raise FileNotFoundError(f'{what} does not exist. Put it there, or remove ann_file to use all images of '
                                f'{folder}')
    try:
        with open(path, encoding='utf-8') as file:
            lines = [line.strip() for line in file]
    except UnicodeDecodeError as error:
        raise ValueError(f'{what} is not UTF-8 text ({error}). Save it as UTF-8 without byte order mark') from error
    blank = [number for number, line in enumerate(lines, 1) if not line]
    if len(blank) == len(lines):
        raise ValueError(f'{what} is empty. Write one name per line, without img_suffix, or remove ann_file to use all '
                         f'images of {folder}')
    if lines[0].startswith('\ufeff'):
        raise ValueError(f'{what} begins with a byte order mark, which becomes part of the first name. Save it as '
                         'UTF-8 without byte order mark')
    if blank:
        raise ValueError(f'{what} has {len(blank)} blank lines, the first is line {blank[0]}. Remove them')


def _check_classes(cfg: Config, split: str, dataset: Any) -> None:
    """Check that a dataset names its classes if the evaluator needs that, and has no more than the decode head.

    A head may have more classes, such as a pretrained one or one for several datasets: the log says how they count.
    """
    names, outputs, name = dataset.metainfo.get('classes') or (), num_classes(cfg), type(dataset).__name__
    measured = {type_name(metric) for metric in dicts(cfg.get(f'{split}_evaluator'))} & {'IoUMetric', 'ClassIoUMetric'}
    if measured and not names:
        raise ValueError(f"the {split} dataset {name} has no class names, which {', '.join(measured)} needs. Set its "
                         'metainfo to dict(classes=(...), palette=[...])')
    found = f'the decode head has {outputs} classes, but the {split} dataset {name} has {len(names)}'
    if 0 < outputs < len(names):
        raise ValueError(f'{found}. Set num_classes of model.decode_head to {len(names)}, or name only {outputs} '
                         'classes in the metainfo of the dataset')
    if names and outputs > len(names):
        print_log(f'{found}. The others are valid labels unless they are ignored; metrics by class leave them out, and '
                  'a prediction of one of them counts as an error. If this is not intended, set num_classes of '
                  f'model.decode_head to {len(names)}', 'current', logging.WARNING)


def _check_files(split: str, dataset: dict[str, Any], built: Any, local: bool) -> None:
    entries = built.load_data_list()
    if not entries:
        folder = os.path.join(dataset.get('data_root') or '', dataset['data_prefix'].get('img_path') or '')
        raise ValueError(f'the {split} split is empty: no image was found in {folder}'
                         f'{_found_suffixes(built, folder, local)}')
    if not local:
        return
    for key, what in (('img_path', 'image'), ('seg_map_path', 'label map')):
        paths = [entry[key] for entry in entries if key in entry]
        missing = [path for path in paths if not os.path.isfile(path)]
        if missing:
            suffix = getattr(built, 'img_suffix', '')
            twice = key == 'img_path' and suffix and os.path.isfile(missing[0].removesuffix(suffix))
            raise FileNotFoundError(f'{len(missing)} of {len(paths)} {split} images have no {what}; the first missing '
                                    f'file is {missing[0]}' + (f'. Remove img_suffix, {suffix}, from the names in '
                                                               f'{built.ann_file}' if twice else ''))


def _found_suffixes(built: Any, folder: str, local: bool) -> str:
    """Describe the expected and the found file suffixes; '' if they are unknown."""
    if not local or not hasattr(built, 'img_suffix'):
        return ''
    found = sorted({os.path.splitext(name)[1] for _, _, names in os.walk(folder) for name in names})
    there = f'the suffixes of the files there are {", ".join(found)}' if found else 'there are no files'
    return f'; img_suffix is {built.img_suffix!r}, and {there}'
