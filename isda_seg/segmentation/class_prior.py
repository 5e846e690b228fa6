"""Class frequencies of the training labels."""
import copy
import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dist import master_only
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from mmengine.utils import track_iter_progress
from mmseg.registry import DATASETS
from torch import Tensor

from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime.fingerprint import data_digest
from isda_seg.runtime.logit_adjustment import UNCOUNTED
from isda_seg.runtime.provenance import write_json
from isda_seg.segmentation.decode_head import ignored, num_classes
from isda_seg.segmentation.loading import checked_loading


def count_labels(cfg: Config) -> Tensor:
    """Return the number of labelled pixels per class (C,) in the label maps of the training data, unaugmented.

    The result is stored in the work directory and read from there the next time.
    """
    classes, label = num_classes(cfg), ignored(cfg)
    dataset = _labels_only(cfg)
    with DefaultScope.overwrite_default_scope('mmseg'):
        built = DATASETS.build(dataset)
    digest = hashlib.sha256(f'{data_digest(built)} {dataset} {classes}'.encode()).hexdigest()
    kept = Path(cfg.work_dir, f'class_counts_{digest[:12]}.json')
    if kept.is_file():
        return torch.tensor(json.loads(kept.read_text())['count'])
    print_log(f'counting the labels of {len(built)} training images', 'current', logging.INFO)
    count = np.zeros(classes, dtype=np.int64)
    for index in track_iter_progress(range(len(built))):
        labels = built[index]['gt_seg_map']
        counted = (labels >= 0) & (labels < classes) & (labels != label)
        count += np.bincount(labels[counted].ravel(), minlength=classes)
    master_only(write_json)(kept, dict(count=count.tolist(), images=len(built)))
    return torch.from_numpy(count)


def _labels_only(cfg: Config) -> dict[str, Any]:
    """Return the config of the training dataset with pipelines that only load the labels."""
    loader = cfg.get('train_dataloader')
    dataset = copy.deepcopy(loader.dataset.to_dict()) if loader is not None else {}
    pipelines = [node for node in dicts(dataset) if 'pipeline' in node]
    for node in pipelines:
        node['pipeline'] = [step for step in node['pipeline'] if 'LoadAnnotations' in type_name(step)]
    if not pipelines or not all(node['pipeline'] for node in pipelines):
        raise ValueError(UNCOUNTED.format('pipeline has LoadAnnotations'))
    checked_loading(dataset, num_classes(cfg), ignored(cfg))
    return dataset
