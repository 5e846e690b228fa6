"""Options that shrink the configs of the paper's tables to tiny data, and the tool that runs a table with them."""
import os
import subprocess
import sys
from pathlib import Path

from helpers import tiny

REPRODUCE = tiny.ROOT / 'tools' / 'reproduce.py'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
IN_PROCESS = [f'{loader}.{key}' for loader in LOADERS for key in ('num_workers=0', 'persistent_workers=False')]
CITYSCAPES = [
    *IN_PROCESS, 'model.pretrained=None', 'model.backbone.depth=18', 'model.backbone.base_channels=8',
    'model.backbone.stem_channels=8', 'model.data_preprocessor.size=(48,48)', 'model.decode_head.in_channels=64',
    'model.decode_head.channels=8', 'model.auxiliary_head.in_channels=32', 'model.auxiliary_head.channels=8',
    'train_dataloader.dataset.pipeline.2.scale=(64,48)', 'train_dataloader.dataset.pipeline.3.crop_size=(48,48)',
    *(f'{loader}.dataset.pipeline.1.scale=(64,48)' for loader in LOADERS[1:]), 'train_cfg.max_iters=40',
    'train_cfg.val_interval=40', 'param_scheduler.0.end=40', 'default_hooks.checkpoint.interval=4',
    'default_hooks.logger.interval=1']
CIFAR = [*IN_PROCESS, 'train_cfg.max_epochs=2', 'default_hooks.logger.interval=1']


def command(*words, options=()):
    """The command line of tools/reproduce.py."""
    return [sys.executable, '-W', 'ignore', str(REPRODUCE), *map(str, words),
            *(['--cfg-options', *options] if options else [])]


def environment(data):
    """The environment of a process of a table with this data."""
    return {**os.environ, 'PYTHONPATH': os.pathsep.join([str(tiny.ROOT), str(tiny.ROOT / 'tests')]),
            'ISDA_SEG_DATA': str(data), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': ''}


def reproduce(*words, data, cwd, options=()):
    """Run the tool to its end; gives the finished process."""
    return subprocess.run(command(*words, options=options), cwd=cwd, env=environment(data), capture_output=True,
                          text=True, timeout=1800)


def logs(work):
    """What each run logged of its steps, by its folder; without times."""
    return {str(path.relative_to(work)): tiny.logged(path) for path in sorted(Path(work).glob('*/seed_*'))
            if path.is_dir()}
