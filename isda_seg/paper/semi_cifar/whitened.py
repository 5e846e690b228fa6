"""Dataset of ZCA-whitened images."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from mmengine.registry import DATASETS

from isda_seg.paper.semi_cifar.zca import EPS, ZCA, fingerprint, fitted
from isda_seg.semi.wrapped_dataset import Wrapper, labels_of

# Caches of this process, kept while a dataset uses an entry; validation and test often share one.
_transforms: WeakValueDictionary[tuple[Any, ...], ZCA] = WeakValueDictionary()
_images: WeakValueDictionary[tuple[Any, ...], np.ndarray] = WeakValueDictionary()


@DATASETS.register_module()
class WhitenedDataset(Wrapper):
    """ZCA-whitened images (H, W, 3) float32 of a dataset, all in memory: 614 MB for the 50,000 images of CIFAR.

    Args:
        dataset: config or object of a dataset whose images have one size.
        fit_on: dataset from which mean and covariance are computed, usually the training set; default ``dataset``.
        file: file in which the transform is stored, so that it is fitted only once; None stores nothing.
        eps: value added to the eigenvalues inside the square root.
        pipeline: transforms of the items.

    Raises:
        ValueError: in ``full_init``, if images are not in memory or differ in size, or ``file`` belongs to other images
            or another eps.
    """

    def __init__(self, dataset: Any, fit_on: Any = None, file: str | Path | None = None, eps: float = EPS,
                 pipeline: Sequence[Any] = ()) -> None:
        super().__init__(dataset, pipeline)
        self.fit_on, self.file, self.eps = fit_on, file, eps
        self.labels = labels_of(self.dataset)
        self.images: Any = None  # (N, H, W, 3) float32 after full_init

    def full_init(self) -> None:
        """Fit or read the transform, and whiten the images."""
        if self.images is not None:
            return
        super().full_init()
        images = images_of(self.dataset)
        if self.fit_on is None:
            source = images
        else:
            source = images_of(DATASETS.build(self.fit_on) if isinstance(self.fit_on, dict) else self.fit_on)
        file = None if self.file is None else Path(self.file).absolute()
        key: tuple[Any, ...] = (fingerprint(source), self.eps, file)
        self.zca = _transforms.get(key)
        if self.zca is None:
            self.zca = _transforms[key] = fitted(source, self.eps, self.file)
        key = (fingerprint(images), *key)
        self.images = _images.get(key)
        if self.images is None:
            self.images = _images[key] = self.zca.apply(images)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return ``img`` (H, W, 3) float32 and ``gt_label`` before the pipeline."""
        self.full_init()
        return dict(img=self.images[idx].copy(), gt_label=int(self.labels[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of an image, in a list."""
        return [int(self.labels[idx])]


def images_of(dataset: Any) -> np.ndarray:
    """Return all images (N, H, W, 3) uint8 of a dataset.

    Raises:
        ValueError: the images are not in memory, or differ in size.
    """
    images = [dataset.get_data_info(index).get('img') for index in range(len(dataset))]
    kinds = {(image.shape, str(image.dtype)) if isinstance(image, np.ndarray) else None for image in images}
    if len(kinds) != 1 or {kind and kind[1] for kind in kinds} != {'uint8'}:
        raise ValueError(f'WhitenedDataset needs at least one image, and all as uint8 arrays of one size, such as '
                         f'those of CIFAR and SVHN; {type(dataset).__name__} has {len(images)} images of '
                         f'{len(kinds)} kinds')
    return np.stack(images)
