"""Class frequencies of the training labels."""
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import Tensor

from isda_seg.runtime.logit_adjustment import UNCOUNTED


def count_labels(cfg: Config) -> Tensor:
    """Return the number of labelled training images per class (C,), without reading images."""
    loader = cfg.get('train_dataloader')
    labels = _labels(DATASETS.build(loader.dataset)) if loader is not None else []
    if not labels:
        raise ValueError(UNCOUNTED.format('dataset has get_cat_ids'))
    return torch.from_numpy(np.bincount(labels, minlength=cfg.model.num_classes))


def _labels(dataset: Any) -> list[int]:
    """Return the labels of all images; a dataset that repeats or concatenates others counts each inner image once."""
    if hasattr(dataset, 'get_cat_ids'):
        labelled = getattr(dataset, 'labelled_indices', range(len(dataset)))
        return [dataset.get_cat_ids(int(index))[0] for index in labelled]
    inner = [dataset.dataset] if hasattr(dataset, 'dataset') else getattr(dataset, 'datasets', [])
    return [label for one in inner for label in _labels(one)]
