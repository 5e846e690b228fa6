"""Base hook for visualisations of evenly spaced test images, and names of files that are written per image."""
import os
from collections import Counter
from pathlib import Path
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook

from isda_seg.runtime.fingerprint import datasets_inside

PREFIXES = ('img_path', 'img')  # keys of ``data_prefix`` with the image folder, in MMSegmentation and MMDetection


class PicturesHook(Hook):
    """Call ``draw(runner, sample, out)`` for test images; ``out`` is the path of ``output_names`` with ``.png``.

    Args:
        out_dir: folder of the visualisations.
        most: number of images per rank, evenly spaced; None for all.
    """

    def __init__(self, out_dir: str, most: int | None = None) -> None:
        self.out_dir, self.most, self.seen = Path(out_dir), most, 0
        self.names: dict[str, str] = {}

    def before_test(self, runner: Any) -> None:
        """Choose the file name of every image."""
        self.names = output_names(runner.test_dataloader.dataset)

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Draw the selected samples of the batch."""
        images = len(runner.test_dataloader.sampler)
        for sample in outputs or ():
            self.seen += 1
            if chosen(self.seen - 1, images, self.most):
                out = self.out_dir / f'{self.names.get(sample.img_path, Path(sample.img_path).stem)}.png'
                out.parent.mkdir(parents=True, exist_ok=True)
                self.draw(runner, sample, out)

    def draw(self, runner: Any, sample: Any, out: Path) -> None:
        """Write the visualisation of one sample."""
        raise NotImplementedError


def chosen(index: int, images: int, most: int | None) -> bool:
    """Return whether image ``index`` is one of ``most`` evenly spaced ones among ``images``."""
    return most is None or (index + 1) * most // images > index * most // images


def output_names(dataset: Any) -> dict[str, str]:
    """Return a different name for every image of a dataset, for files that are written per image.

    The result maps the path of an image to its path below the image folder, or below the common folder of several
    wrapped datasets, without suffix. The suffix stays where another image differs only by its suffix. Datasets without
    MMEngine's ``get_data_info`` have no names.
    """
    paths: list[str] = []
    folders = []
    for node in datasets_inside(dataset):
        if isinstance(node, BaseDataset):
            paths += [info['img_path'] for index in range(len(node))
                      if 'img_path' in (info := BaseDataset.get_data_info(node, index))]
            folders += [folder for key in PREFIXES if (folder := (node.data_prefix or {}).get(key))]
    paths = list(dict.fromkeys(paths))
    folder = os.path.commonpath(map(os.path.abspath, folders or map(os.path.dirname, paths))) if paths else ''
    below = {path: _below(path, folder) for path in paths}
    shared = Counter(os.path.splitext(name)[0] for name in below.values())
    names = {path: name if shared[stem := os.path.splitext(name)[0]] > 1 else stem for path, name in below.items()}
    return names if len(set(names.values())) == len(names) else below  # a.png, a.jpg and a.png.jpg


def _below(path: str, folder: str) -> str:
    """Return a path relative to ``folder`` if it is inside, else the absolute path without its root."""
    full = os.path.abspath(path)
    inside = os.path.commonpath([full, folder]) == folder
    return os.path.relpath(full, folder) if inside else full.lstrip(os.sep)
