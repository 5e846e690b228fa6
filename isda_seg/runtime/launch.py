"""From a config and a launcher to a Runner that starts on the machine at hand."""
import argparse
import atexit
import gc
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # noqa: F401  imported after a group is made, its default arguments hold it for ever
from mmengine.config import Config

from isda_seg import compat
from isda_seg.runtime.arguments import add_work_dir, check_writable
from isda_seg.runtime.config_keys import check_names, check_options, dicts, type_name
from isda_seg.runtime.options import add_cfg_options

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options every tool that builds a Runner has: what ``load_config`` takes."""
    add_work_dir(parser, 'work_dirs/<config name>')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none',
                        help='how the ranks were started; dist_train.sh sets pytorch; default %(default)s')
    parser.add_argument('--debug', action='store_true', help='show where an error was raised')  # read by ``run_main``
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(path: str, options: dict | None = None, work_dir: str | None = None,
                launcher: str = 'none') -> Config:
    """Read a config as every tool does: bases by package mended, options merged, work directory settled and writable.

    Raises:
        FileNotFoundError: no such config. OSError: a work directory that cannot be written.
        ImportError: a config of MMDetection where that is not installed.
        ValueError: an option that nothing reads, a misspelt key, vis_backends that are not a list of dicts.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'there is no config {path}')
    cfg = compat.read_config(path)
    check_names(cfg)
    cfg.launcher = launcher
    if options:
        check_options(cfg, options)
        cfg.merge_from_dict(options)
    cfg.work_dir = work_dir or cfg.get('work_dir') or default_work_dir(path)
    check_writable(cfg.work_dir)
    add_vis_backends(cfg)
    adapt_to_machine(cfg)
    return cfg


def _end_group() -> None:
    """Its threads join when the last reference goes: the models and runners that hold one are in cycles.

    A thread that still holds a tensor while Python ends aborts a run that went well. Ours is the last reference,
    because a group lets go of Python's lock while it waits for its threads, and a model that holds one does not.
    """
    if dist.is_initialized():
        group = dist.group.WORLD
        dist.destroy_process_group()
        gc.collect()
        del group


def default_work_dir(path: str) -> str:
    """``work_dirs/<config name>``."""
    return os.path.join('work_dirs', Path(path).stem)


def add_vis_backends(cfg: Config) -> None:
    """Add the backends of the key ``vis_backends`` that the visualizer lacks, by their type; in place.

    MMEngine reads only ``visualizer.vis_backends``. There ``vis_backends`` of a config that inherits the visualizer has
    no effect.
    """
    backends = cfg.get('vis_backends') or []
    if not isinstance(backends, (list, tuple)) or not all(type_name(backend) for backend in backends):
        raise ValueError("vis_backends must be a list of dicts with a type, such as "
                         f"[dict(type='TensorboardVisBackend')], got {backends}")
    if not backends:
        return
    if not cfg.get('visualizer'):  # MMEngine's default
        cfg.visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
    present = cfg.visualizer.get('vis_backends') or []
    types = {type_name(backend) for backend in present}
    cfg.visualizer.vis_backends = [*present, *(backend for backend in backends if type_name(backend) not in types)]


def adapt_to_machine(cfg: Config) -> None:
    """Without a GPU: a gloo group for the pytorch launcher, plain DDP, BN for SyncBN."""
    if torch.cuda.is_available() or cfg.launcher == 'none':
        return
    if cfg.launcher != 'pytorch':
        raise ValueError(f'without a GPU only the pytorch launcher works (tools/dist_train.sh), got {cfg.launcher!r}')
    if not dist.is_initialized():
        if 'RANK' not in os.environ:
            raise ValueError('--launcher pytorch is for tools/dist_train.sh and dist_test.sh, which start the ranks')
        dist.init_process_group('gloo')  # MMEngine's own start would ask CUDA for a device
        atexit.register(_end_group)
    own = cfg.get('model_wrapper_cfg') or {}
    if type_name(own) in ('', 'MMDistributedDataParallel'):
        cfg.model_wrapper_cfg = {
            'type': 'MMDistributedDataParallel', 'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False), **own, 'device_ids': None}
    plain_batch_norm(cfg.model)


def plain_batch_norm(model: Any) -> None:
    """BN for SyncBN, which needs GPUs, in the config of a model; in place."""
    for norm in dicts(model):
        if type_name(norm) in ('SyncBN', 'SyncBatchNorm'):
            norm['type'] = 'BN'
