"""ImageNet and datasets in its layout: one folder of images per class."""
import os
from pathlib import Path
from typing import Any

from mmengine.registry import DATASETS

from isda_seg.classification.data.image_dataset import ClassificationDataset
from isda_seg.classification.data.image_file import read_image
from isda_seg.core.ops.checks import listed

NO_IMAGES = ('thumbs.db', 'ehthumbs.db', 'desktop.ini', 'icon\r')  # files of file managers, in lower case
FOLDERS = {True: 'train', False: 'val'}     # ImageNet's validation images are the test set of Table 1


@DATASETS.register_module()
class ImageFolderDataset(ClassificationDataset):
    """Images in ``train/<class>/*`` and ``val/<class>/*``; labels follow the sorted names of the class folders.

    Every file counts as an image unless it is hidden or listed in ``NO_IMAGES``. Images are read on access.
    """

    def read(self, train: bool) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the names of the class folders, and the path of every image as ``img_path``."""
        folder, other = (Path(self.data_root, FOLDERS[which]) for which in (train, not train))
        classes = class_folders(folder)
        if other.is_dir() and class_folders(other) != classes:
            raise ValueError(_difference(folder, set(classes), other, set(class_folders(other))))
        return classes, [dict(img_path=path, gt_label=label) for label, name in enumerate(classes)
                         for path in _files(folder / name)]

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return path, label and pixels of an image."""
        info = super().get_data_info(idx)
        return dict(info, img=read_image(info['img_path']))


def class_folders(folder: Path) -> list[str]:
    """Return the sorted names of the subfolders of a folder."""
    if not folder.is_dir():
        raise FileNotFoundError(f'the folder {folder} does not exist. Put one folder of images per class there, '
                                'set ISDA_SEG_DATA to the folder that holds the dataset, or set data_root')
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith('.'))
    if not names:
        raise ValueError(f'{folder} contains no class folders. Sort the images into one folder per class')
    return names


def _files(folder: Path) -> list[str]:
    """Return the files of a class, except those that are hidden or written by a file manager."""
    found = sorted(os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names
                   if not name.startswith('.') and name.lower() not in NO_IMAGES)
    if not found:
        raise ValueError(f'the class folder {folder} contains no images. Add some, or remove the class from all splits')
    return found


def _difference(folder: Path, classes: set[str], other: Path, others: set[str]) -> str:
    parts = [f'only in {where}: {listed(sorted(names), 10)}'
             for where, names in ((folder, classes - others), (other, others - classes)) if names]
    return f'{folder} and {other} contain different class folders; {"; ".join(parts)}. Use the same classes in both'
