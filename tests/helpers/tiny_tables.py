"""Options that shrink the configs of Cityscapes, and the environment of a table on tiny data."""
import os

from helpers import tiny

REPRODUCE = tiny.ROOT / 'tools' / 'reproduce.py'
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
IN_PROCESS = [f'{loader}.{key}' for loader in LOADERS for key in ('num_workers=0', 'persistent_workers=False')]
CITYSCAPES = [
    *IN_PROCESS, 'model.pretrained=None', 'model.backbone.depth=18', 'model.backbone.base_channels=8',
    'model.backbone.stem_channels=8', 'model.data_preprocessor.size=(48,48)', 'model.decode_head.in_channels=64',
    'model.decode_head.channels=8', 'model.auxiliary_head.in_channels=32', 'model.auxiliary_head.channels=8',
    'train_dataloader.dataset.pipeline.2.scale=(64,48)', 'train_dataloader.dataset.pipeline.3.crop_size=(48,48)',
    *(f'{loader}.dataset.pipeline.1.scale=(64,48)' for loader in LOADERS[1:]), 'train_cfg.max_iters=12',
    'train_cfg.val_interval=12', 'param_scheduler.0.end=12', 'default_hooks.checkpoint.interval=4',
    'default_hooks.logger.interval=1']


def environment(data, **others):
    """The environment of a process of a table with this data."""
    path = [tiny.ROOT, tiny.ROOT / 'tests', tiny.ROOT / 'tests' / 'helpers' / 'no_layout']
    return {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, path)),
            'ISDA_SEG_DATA': str(data), 'OMP_NUM_THREADS': '1', 'CUDA_VISIBLE_DEVICES': '', **others}
