"""CIFAR-10 and CIFAR-100 from the standard Python archives."""
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DATASETS

from isda_seg.classification.data.cifar_files import CIFAR10, CIFAR100, HOME, read_members
from isda_seg.classification.data.image_dataset import ClassificationDataset

LAYOUTS = {10: CIFAR10, 100: CIFAR100}


@DATASETS.register_module()
class CIFARDataset(ClassificationDataset):
    """CIFAR-10 or CIFAR-100 with fine labels: 50,000 training and 10,000 test images of 32 x 32 pixels.

    Args:
        data_root: folder with ``cifar-10-python.tar.gz`` (or -100-), or with the extracted folder.
        num_classes: 10 or 100.
        md5: expected checksum of the archive, by default that of the published one. An archive with another checksum
            and another number of images, such as a subset, is read with a warning. None disables the check; an
            extracted folder is not checked.
    """

    def __init__(self, data_root: str, num_classes: int = 10, md5: str | None = 'official', **kwargs: Any) -> None:
        if num_classes not in LAYOUTS:
            raise ValueError(f'num_classes of CIFARDataset must be 10 or 100, got {num_classes}')
        self.layout = LAYOUTS[num_classes]
        self.num_classes = num_classes
        self.md5 = self.layout.md5 if md5 == 'official' else md5
        super().__init__(data_root=data_root, **kwargs)

    def read(self, train: bool) -> tuple[list[str], list[dict[str, Any]]]:
        """Return the class names and the images of all batches, in the order of the archive."""
        layout, names = self.layout, self.layout.train if train else self.layout.test
        files = read_members(Path(self.data_root), layout, (layout.meta, *names), self.md5)
        classes = files[layout.meta].get(layout.classes, [])
        if len(classes) != self.num_classes:
            raise ValueError(f'{layout.meta} in {self.data_root} has {len(classes)} class names, expected '
                             f'{self.num_classes}. Download {layout.archive} again from {HOME}')
        entries = [dict(img=image, gt_label=label) for name in names
                   for image, label in zip(*self._batch(files[name], name), strict=True)]
        return [name.decode() if isinstance(name, bytes) else name for name in classes], entries

    def _batch(self, batch: dict[str, Any], name: str) -> tuple[np.ndarray, list[int]]:
        """Return the images (N, 32, 32, 3) in BGR and the N labels of a batch."""
        images, labels = batch.get('data'), batch.get(self.layout.labels) or ()
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape != (len(labels), 3072):
            raise ValueError(f'{name} in {self.data_root} does not hold one row of 3072 bytes per label. '
                             f'Download {self.layout.archive} again from {HOME}')
        planes = images.reshape(-1, 3, 32, 32)
        return np.ascontiguousarray(planes[:, ::-1].transpose(0, 2, 3, 1)), [int(label) for label in labels]
