"""Is all the data there? Asked once, before anything is built."""
import os
from typing import Any

from mmengine import fileio
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS
from mmseg.utils import register_all_modules

from isda_seg.runtime.config_keys import dicts


def check_data(cfg: Config, splits: tuple[str, ...] = ('train', 'val')) -> None:
    """Every split has images, every image its label map.

    Asked through the dataset's own storage. Left unasked are the files of a remote one, each of which would be a
    request, and a dataset that does not list its images as MMSegmentation's do.

    Raises:
        FileNotFoundError: a folder, an image or a label map is missing (all are counted, the first is named).
        ValueError: a split without images.
    """
    register_all_modules(init_default_scope=False)
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        for dataset in (node for node in dicts(loader) if 'data_prefix' in node):
            local = _check_folders(split, dataset)
            built = _built(dataset)
            if built is not None:
                _check_files(split, dataset, built, local)


def _built(dataset: dict) -> Any:
    """The dataset, nothing loaded; None where it does not list its images as MMSegmentation's do."""
    try:
        with DefaultScope.overwrite_default_scope('mmseg'):  # a classifier may have been trained before
            built = DATASETS.build(dict(dataset, pipeline=[], lazy_init=True))
    except TypeError:  # a class of the user's with other arguments
        return None
    return built if hasattr(built, 'load_data_list') else None


def _check_folders(split: str, dataset: dict) -> bool:
    """Whether all folders lie in this machine's file system."""
    local = True
    for key, prefix in dataset['data_prefix'].items():
        folder = os.path.join(dataset.get('data_root') or '', prefix or '')
        backend: Any = fileio.get_file_backend(folder, backend_args=dataset.get('backend_args'))
        local = local and isinstance(backend, LocalBackend)
        try:
            there = backend.isdir(folder)
        except (AttributeError, NotImplementedError):  # a storage without folders
            there = True
        if not there:
            raise FileNotFoundError(f'the {split} data folder {folder} ({key}) does not exist: put the dataset there, '
                                    'point ISDA_SEG_DATA to the folder that holds it, or set data_root in the config')
    return local


def _check_files(split: str, dataset: dict, built: Any, local: bool) -> None:
    entries = built.load_data_list()
    if not entries:
        folder = os.path.join(dataset.get('data_root') or '', dataset['data_prefix'].get('img_path') or '')
        raise ValueError(f'the {split} split is empty: no image found in {folder}'
                         f'{_what_is_there(built, folder, local)}')
    if not local:
        return
    for key, what in (('img_path', 'image'), ('seg_map_path', 'label map')):
        paths = [entry[key] for entry in entries if key in entry]
        missing = [path for path in paths if not os.path.isfile(path)]
        if missing:
            raise FileNotFoundError(f'{len(missing)} of {len(paths)} {split} images have no {what}; the first missing '
                                    f'file is {missing[0]}')


def _what_is_there(built: Any, folder: str, local: bool) -> str:
    """The suffix that was looked for, and those of the files there; '' where that cannot be told."""
    if not local or not hasattr(built, 'img_suffix'):
        return ''
    found = sorted({os.path.splitext(name)[1] for _, _, names in os.walk(folder) for name in names})
    there = f'the files there end in {", ".join(found)}' if found else 'there are no files'
    return f'; img_suffix is {built.img_suffix!r}, and {there}'
