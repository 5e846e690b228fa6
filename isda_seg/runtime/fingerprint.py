"""Fingerprint of a training setup, for resuming: data, batches, optimizer, schedule, augmentation."""
import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.runner import EpochBasedTrainLoop

from isda_seg.openmmlab.config_nodes import dicts

OPTIMIZER = ('optimizer', 'paramwise_cfg', 'clip_grad', 'accumulative_counts')  # the other keys concern precision


def fingerprint(runner: Any) -> dict[str, Any]:
    """Return the fingerprint of a runner's training setup, a dict of JSON values.

    'batch' counts the images per step over all ranks, 'accumulated' the steps per update, 'steps' those of an epoch
    (None in iteration-based training). 'length' is in epochs or iterations.
    """
    loader, loop, cfg = runner.train_dataloader, runner.train_loop, runner.cfg
    by_epoch = isinstance(loop, EpochBasedTrainLoop)
    optimizer = {key: value for key, value in _plain(cfg.get('optim_wrapper') or {}).items() if key in OPTIMIZER}
    return dict(
        data=data_digest(loader.dataset), images=len(loader.dataset),
        batch=(getattr(loader.batch_sampler, 'batch_size', None) or loader.batch_size or 1) * runner.world_size,
        ranks=runner.world_size, accumulated=optimizer.pop('accumulative_counts', 1),
        steps=len(loader) if by_epoch else None, length=loop.max_epochs if by_epoch else loop.max_iters,
        optimizer=optimizer, schedule=_plain(cfg.get('param_scheduler')),
        augmentation=[_plain(node['pipeline']) for node in dicts(cfg.get('train_dataloader')) if node.get('pipeline')])


def _plain(node: Any) -> Any:
    """Convert to JSON-compatible values."""
    return json.loads(json.dumps(node.to_dict() if hasattr(node, 'to_dict') else node, default=str, sort_keys=True))


def data_digest(dataset: Any) -> str:
    """Return the SHA-256 digest of all entries of a dataset and the datasets inside it, independent of their folder."""
    digest = hashlib.sha256()
    for node in datasets_inside(dataset):
        digest.update(f'{type(node).__name__} {len(node)}'.encode())
        if hasattr(node, 'labelled_indices'):
            digest.update(np.asarray(node.labelled_indices).astype('<i8').tobytes())
        if isinstance(node, BaseDataset):
            root = os.path.join(os.path.abspath(node.data_root or ''), '')
            for index in range(len(node)):
                for key, value in BaseDataset.get_data_info(node, index).items():
                    digest.update(key.encode() + _bytes(value, root))
    return digest.hexdigest()


def datasets_inside(dataset: Any) -> Iterator[Any]:
    """Yield a dataset and the datasets that it wraps, outer ones first."""
    yield dataset
    own = getattr(dataset, '__dict__', {})  # the wrapper's attributes without those it forwards to the inner dataset
    for inner in [own.get('dataset'), *own.get('datasets', ())]:
        if inner is not None:
            yield from datasets_inside(inner)


def _bytes(value: Any, root: str) -> bytes:
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, str) and os.sep in value:
        path = os.path.abspath(value)
        return (path.removeprefix(root) if path.startswith(root) else os.path.basename(path)).encode()
    return repr(value).encode()
