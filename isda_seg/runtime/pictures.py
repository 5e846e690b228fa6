"""Base hook for visualisations of evenly spaced test images, and names of files that are written per image."""
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook

from isda_seg.openmmlab.config_nodes import dicts
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
        self.names = OutputNames()

    def before_test(self, runner: Any) -> None:
        """Choose the file name of every image."""
        self.names = output_names(runner.test_dataloader.dataset, runner.cfg.get('test_dataloader'))

    def after_test_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Draw the selected samples of the batch."""
        images = len(runner.test_dataloader.sampler)
        for sample in outputs or ():
            self.seen += 1
            if chosen(self.seen - 1, images, self.most):
                out = self.out_dir / f'{self.names[sample.img_path]}.png'
                out.parent.mkdir(parents=True, exist_ok=True)
                self.draw(runner, sample, out)

    def draw(self, runner: Any, sample: Any, out: Path) -> None:
        """Write the visualisation of one sample."""
        raise NotImplementedError


def chosen(index: int, images: int, most: int | None) -> bool:
    """Return whether image ``index`` is one of ``most`` evenly spaced ones among ``images``."""
    return most is None or (index + 1) * most // images > index * most // images


class OutputNames(dict[str, str]):
    """Names by path of an image; another path gets its path below ``folder`` without suffix, the full one if taken."""

    def __init__(self, names: Mapping[str, str] = MappingProxyType({}), folder: str = '') -> None:
        super().__init__(names)
        self.folder, self.taken = folder, set(self.values())

    def __missing__(self, path: str) -> str:
        """Return the name of a path that was not listed."""
        name = os.path.splitext(_below(path, self.folder) if self.folder else os.path.basename(path))[0]
        self[path] = os.path.abspath(path).lstrip(os.sep) if name in self.taken else name
        self.taken.add(self[path])
        return self[path]


def output_names(dataset: Any, loader: Any = None) -> OutputNames:
    """Return a different name for every image of a dataset, for files that are written per image.

    The result maps the path of an image to its path below the image folder, or below the common folder of several
    wrapped datasets, without suffix. The suffix stays where another image differs only by its suffix. The names of
    images that MMEngine's ``get_data_info`` does not list follow from the image folders in the config ``loader``.
    """
    paths: list[str] = []
    folders = []
    for node in datasets_inside(dataset):
        if isinstance(node, BaseDataset):
            paths += [info['img_path'] for index in range(len(node))
                      if 'img_path' in (info := BaseDataset.get_data_info(node, index))]
            folders += [folder for key in PREFIXES if (folder := (node.data_prefix or {}).get(key))]
    paths = list(dict.fromkeys(paths))
    folders = folders or [
        os.path.join(node.get('data_root') or '', prefix[key]) for node in dicts(loader) for key in PREFIXES
        if isinstance(prefix := node.get('data_prefix'), dict) and prefix.get(key)]
    known = [*map(os.path.abspath, folders or map(os.path.dirname, paths))]
    folder = os.path.commonpath(known) if known else ''
    below = {path: _below(path, folder) for path in paths}
    shared = Counter(os.path.splitext(name)[0] for name in below.values())
    names = {path: name if shared[stem := os.path.splitext(name)[0]] > 1 else stem for path, name in below.items()}
    return OutputNames(names if len(set(names.values())) == len(names) else below, folder)  # a.png, a.jpg, a.png.jpg


def _below(path: str, folder: str) -> str:
    """Return a path relative to ``folder`` if it is inside, else the absolute path without its root."""
    full = os.path.abspath(path)
    inside = os.path.commonpath([full, folder]) == folder
    return os.path.relpath(full, folder) if inside else full.lstrip(os.sep)
