"""Reading a config and adapting it to the launcher and the machine."""
import argparse
import atexit
import gc
import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.nn  # noqa: F401  import before a group exists: default arguments would keep a reference to it
from mmengine.config import Config

from isda_seg import compat
from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime.arguments import add_work_dir, check_writable
from isda_seg.runtime.config_keys import add_cfg_options, check_arguments, check_names, merge_options
from isda_seg.runtime.outputs import check_config

LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every tool that builds a Runner; ``load_config`` takes their values."""
    add_work_dir(parser, 'work_dirs/<config name>')
    add_cfg_options(parser)
    parser.add_argument('--launcher', choices=LAUNCHERS, default='none',
                        help='how the ranks were started; dist_train.sh sets pytorch; default %(default)s')
    parser.add_argument('--debug', action='store_true', help='show the traceback of an error')  # read by ``run_main``
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def load_config(path: str, options: dict[str, Any] | None = None, work_dir: str | None = None,
                launcher: str = 'none') -> Config:
    """Read a config, merge the options, set and create the work directory, and adapt the config to the machine."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'the config {path} does not exist')
    cfg = compat.read_config(path)
    check_names(cfg)
    cfg.launcher = launcher
    if options:
        merge_options(cfg, options)
    if cfg.get('default_scope') == 'mmseg':
        compat.import_segmentation()
    check_arguments(cfg)
    cfg.work_dir = work_dir or cfg.get('work_dir') or os.path.join('work_dirs', Path(path).stem)
    check_config(cfg)
    check_writable(cfg.work_dir)
    add_vis_backends(cfg)
    adapt_to_machine(cfg)
    return cfg


def _end_group() -> None:
    """Destroy the process group at exit and join its threads.

    A thread of the group that still holds a tensor during interpreter shutdown aborts the process. The threads join
    when the last reference to the group is deleted. Models and runners hold references in cycles, so these are
    collected first. The last reference must be the local one: deleting it releases the GIL while the threads join.
    """
    if dist.is_initialized():
        group = dist.group.WORLD
        dist.destroy_process_group()
        gc.collect()
        del group


def add_vis_backends(cfg: Config) -> None:
    """Add the backends in the key ``vis_backends`` to the visualizer, except types that it already has; in place.

    MMEngine reads only ``visualizer.vis_backends``: in a config that inherits its visualizer, a top-level
    ``vis_backends`` would have no effect.
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
    """Without a GPU, set up a gloo group for the pytorch launcher, DDP without device ids, and BN instead of SyncBN."""
    if torch.cuda.is_available() or cfg.launcher == 'none':
        return
    if cfg.launcher != 'pytorch':
        raise ValueError(f'without a GPU only --launcher pytorch is supported (tools/dist_train.sh), '
                         f'got {cfg.launcher!r}')
    if not dist.is_initialized():
        if 'RANK' not in os.environ:
            raise ValueError('--launcher pytorch needs the environment variable RANK. Start the ranks with '
                             'tools/dist_train.sh or tools/dist_test.sh')
        dist.init_process_group('gloo')  # MMEngine's initialisation would require a CUDA device
        atexit.register(_end_group)
    own = cfg.get('model_wrapper_cfg') or {}
    if type_name(own) in ('', 'MMDistributedDataParallel'):
        cfg.model_wrapper_cfg = {
            'type': 'MMDistributedDataParallel', 'broadcast_buffers': False,
            'find_unused_parameters': cfg.get('find_unused_parameters', False), **own, 'device_ids': None}
    plain_batch_norm(cfg.model)


def plain_batch_norm(model: Any) -> None:
    """Replace SyncBN, which needs GPUs, by BN in the config of a model; in place."""
    for norm in dicts(model):
        if type_name(norm) in ('SyncBN', 'SyncBatchNorm', 'MMSyncBN'):
            norm['type'] = 'BN'
