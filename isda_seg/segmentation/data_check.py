"""Is all the data there? Asked once, before anything is built."""
import os

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import DATASETS
from mmseg.utils import register_all_modules

from isda_seg.runtime.config_keys import dicts


def check_data(cfg: Config, splits: tuple[str, ...] = ('train', 'val')) -> None:
    """Every split has images, every image its label map.

    Raises:
        FileNotFoundError: a folder, an image or a label map is missing (all are counted, the first is named).
        ValueError: a split without images.
    """
    register_all_modules(init_default_scope=False)
    for split in splits:
        loader = cfg.get(f'{split}_dataloader')
        for dataset in (node for node in dicts(loader) if 'data_prefix' in node):
            _check_folders(split, dataset)
            with DefaultScope.overwrite_default_scope('mmseg'):  # a classifier may have been trained before
                built = DATASETS.build(dict(dataset, pipeline=[], lazy_init=True))
            _check_files(split, dataset, built.load_data_list())


def _check_folders(split: str, dataset: dict) -> None:
    for key, prefix in dataset['data_prefix'].items():
        folder = os.path.join(dataset.get('data_root') or '', prefix)
        if '://' not in folder and not os.path.isdir(folder):
            raise FileNotFoundError(f'the {split} data folder {folder} ({key}) does not exist: put the dataset there, '
                                    'point ISDA_SEG_DATA to the folder that holds it, or set data_root in the config')


def _check_files(split: str, dataset: dict, entries: list[dict]) -> None:
    if not entries:
        raise ValueError(f'the {split} split is empty: no image found in '
                         f'{os.path.join(dataset.get("data_root") or "", dataset["data_prefix"]["img_path"])}')
    for key, what in (('img_path', 'image'), ('seg_map_path', 'label map')):
        paths = [entry[key] for entry in entries if key in entry and '://' not in entry[key]]
        missing = [path for path in paths if not os.path.isfile(path)]
        if missing:
            raise FileNotFoundError(f'{len(missing)} of {len(paths)} {split} images have no {what}; the first missing '
                                    f'file is {missing[0]}')
