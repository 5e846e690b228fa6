"""Pictures of a few pixels, a network of a few channels, and configs that train one on the other in seconds."""

import copy
import hashlib
import itertools
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, BLOCK = 64, 48, 16
CAMVID_CLASSES, CAMVID_VOID = 11, 11
CITYSCAPES_CLASSES, CITYSCAPES_VOID = 19, 255
PLAIN, ISDA = 'tiny_1xb2.py', 'tiny_isda_1xb2.py'
TIMES = ('time', 'data_time', 'memory')  # in the log, and no property of the training

on_cpu = pytest.mark.skipif(torch.cuda.is_available(), reason='holds on a CPU; set CUDA_VISIBLE_DEVICES= to run it')

PLAIN_TEXT = '''"""A tiny PSPNet with an auxiliary head on tiny CamVid."""
custom_imports = dict(imports=['isda_seg.segmentation'], allow_failed_imports=False)
default_scope = 'mmseg'
randomness = dict(seed=0)
log_processor = dict(by_epoch=False)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(type='SegLocalVisualizer', vis_backends=vis_backends, name='visualizer')
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[128.] * 3, std=[64.] * 3, bgr_to_rgb=True, pad_val=0,
                           seg_pad_val=11, size=(48, 48)),
    backbone=dict(type='ResNetV1c', depth=18, base_channels=8, stem_channels=8, num_stages=4, out_indices=(0, 1, 2, 3),
                  dilations=(1, 1, 2, 4), strides=(1, 2, 1, 1), norm_cfg=norm_cfg, style='pytorch',
                  contract_dilation=True),
    decode_head=dict(type='PSPHead', in_channels=64, in_index=3, channels=8, pool_scales=(2, 3), dropout_ratio=0.1,
                     num_classes=11, ignore_index=11, norm_cfg=norm_cfg, align_corners=False,
                     loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0, avg_non_ignore=True)),
    auxiliary_head=dict(type='FCNHead', in_channels=32, in_index=2, channels=8, num_convs=1, concat_input=False,
                        dropout_ratio=0.1, num_classes=11, ignore_index=11, norm_cfg=norm_cfg, align_corners=False,
                        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4, avg_non_ignore=True)),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=(64, 48), ratio_range=(1.0, 1.5), keep_ratio=True),
    dict(type='RandomCrop', crop_size=(48, 48), cat_max_ratio=0.75, ignore_index=11),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSegInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 48), keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs')]
data_root = DATA_ROOT
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='CamVidDataset', data_root=data_root, pipeline=train_pipeline,
                 data_prefix=dict(img_path='train', seg_map_path='trainannot')))
val_dataloader = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CamVidDataset', data_root=data_root, pipeline=test_pipeline,
                 data_prefix=dict(img_path='val', seg_map_path='valannot')))
test_dataloader = val_dataloader
val_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'], ignore_index=11)
test_evaluator = val_evaluator
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=0.0005))
param_scheduler = [dict(type='PolyLR', eta_min=1e-4, power=0.9, begin=0, end=6, by_epoch=False)]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6, val_begin=100, val_interval=100)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=1, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2),
    sampler_seed=dict(type='DistSamplerSeedHook'))
'''

ISDA_TEXT = '''"""The tiny PSPNet with ISDA on both heads."""
_base_ = './tiny_1xb2.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.segmentation'], allow_failed_imports=False)
model = dict(
    decode_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=7.5)),
    auxiliary_head=dict(loss_decode=dict(type='ISDALoss', lambda_0=7.5)))
default_hooks = dict(isda=dict(type='ISDAHook'))
'''


def picture(rng, num_classes, void):
    """An image (H, W, 3) and its labels (H, W): blocks of five classes and of void, each class in its own colour."""
    palette = np.random.default_rng(0).integers(0, 256, (num_classes + 1, 3))
    blocks = rng.integers(0, 6, (HEIGHT // BLOCK, WIDTH // BLOCK)).repeat(BLOCK, 0).repeat(BLOCK, 1)
    image = np.clip(palette[blocks] + rng.integers(-30, 31, (HEIGHT, WIDTH, 3)), 0, 255)
    return image.astype(np.uint8), np.where(blocks == 5, void, blocks).astype(np.uint8)


def write_split(image_path, label_path, count, num_classes, void, seed):
    """`count` pictures; the two functions give the paths of number i."""
    rng = np.random.default_rng(seed)
    for i in range(count):
        for path, pixels in zip((image_path(i), label_path(i)), picture(rng, num_classes, void), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), pixels)


def write_camvid(root, train=6, val=3):
    """Tiny CamVid: 11 classes, void 11; returns the folder."""
    for seed, (split, count) in enumerate((('train', train), ('val', val))):
        write_split(lambda i, split=split: root / split / f'{i}.png',
                    lambda i, split=split: root / f'{split}annot' / f'{i}.png',
                    count, CAMVID_CLASSES, CAMVID_VOID, seed)
    return root


def write_cityscapes(root, train=6, val=2):
    """Tiny Cityscapes: 19 classes, void 255; returns the folder."""
    for seed, (split, count) in enumerate((('train', train), ('val', val))):
        write_split(lambda i, split=split: root / 'leftImg8bit' / split / 'town' / f'town_{i}_leftImg8bit.png',
                    lambda i, split=split: root / 'gtFine' / split / 'town' / f'town_{i}_gtFine_labelTrainIds.png',
                    count, CITYSCAPES_CLASSES, CITYSCAPES_VOID, seed)
    return root


def write_configs(folder, train=6, val=3):
    """Tiny data and the twin configs in a folder; returns the paths of the plain and of the ISDA config."""
    folder.mkdir(parents=True, exist_ok=True)
    data = write_camvid(folder / 'camvid', train, val)
    (folder / PLAIN).write_text(PLAIN_TEXT.replace('DATA_ROOT', repr(str(data))))
    (folder / ISDA).write_text(ISDA_TEXT)
    return folder / PLAIN, folder / ISDA


def leave_layout():
    """Save configs as they come: to lay them out takes longer than to train."""
    import mmengine.config.config
    import yapf.yapflib.yapf_api
    for module in (mmengine.config.config, yapf.yapflib.yapf_api):
        module.FormatCode = lambda text, **_: (text, False)


_numbers = itertools.count()


def build(config, work_dir, options=None, resume=None, amp=None, change=None):
    """The runner that `tools/train.py` would build, under a name of its own among the runs of this process.

    `change(cfg)`, if given, changes the loaded config in place.
    """
    from isda_seg.run import build_runner
    from isda_seg.runtime.launch import load_config
    leave_layout()
    cfg = load_config(str(config), copy.deepcopy(options), str(work_dir))
    if change is not None:
        change(cfg)
    cfg.experiment_name = cfg.visualizer.name = f'{Path(config).stem}_{next(_numbers)}'
    return build_runner(cfg, resume=None if resume is None else str(resume), amp=amp)


def train(config, work_dir, options=None, **others):
    """Train to the end and return the runner and the records of its steps."""
    runner = build(config, work_dir, options, **others)
    recorder = recording(runner)
    runner.train()
    runner.train_loop.dataloader_iterator = None  # its workers end now, not in a later test
    return runner, recorder.steps


def trained_pair(folder):
    """The tiny plain config and a checkpoint for it, the ISDA config and its checkpoint of two steps: same weights."""
    from isda_seg.runtime.weights import export_plain
    plain, isda = write_configs(folder)
    train(isda, folder / 'run', {'train_cfg.max_iters': 2})
    export_plain(folder / 'run' / 'iter_2.pth', folder / 'plain.pth')
    return plain, folder / 'plain.pth', isda, folder / 'run' / 'iter_2.pth'


def recording(runner):
    """Register and return a hook whose `steps` tells what went into every training step and what came out of it."""
    from mmengine.hooks import Hook

    class Recorder(Hook):
        priority = 'LOWEST'

        def __init__(self):
            self.steps = []

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            samples = data_batch.get('data_samples', [])  # of a segmenter
            labels = [sample.gt_sem_seg.data for sample in samples] or [data_batch['labels']]
            self.steps.append(dict(
                iter=runner.iter, files=[Path(sample.img_path).name for sample in samples],
                batch=digest([*data_batch['inputs'], *labels]), losses={k: v.item() for k, v in outputs.items()}))

    recorder = Recorder()
    runner.register_hook(recorder)
    return recorder


def digest(tensors):
    """A hash of the bits of tensors."""
    bits = hashlib.sha256()
    for tensor in tensors:
        bits.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return bits.hexdigest()


def full_state(runner):
    """Weights, statistics, optimizer and schedule of a runner, as one flat dict."""
    return flat(dict(model=runner.model.state_dict(), optim=runner.optim_wrapper.state_dict(),
                     schedule=[scheduler.state_dict() for scheduler in runner.param_schedulers]))


def saved_state(path):
    """The same of a checkpoint."""
    saved = torch.load(path, map_location='cpu', weights_only=False)
    return flat(dict(model=saved['state_dict'], optim=saved['optimizer'], schedule=saved['param_schedulers']))


def run_tool(monkeypatch, name, *arguments):
    """Run tools/<name> in this process, as if it had been called with these arguments; errors come as raised."""
    leave_layout()
    monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments), '--debug'])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(ROOT / 'tools' / name), run_name='__main__')
    assert end.value.code in (None, 0)


def loaded_by(code):
    """The names of all modules that a Python of its own has loaded after this code."""
    code = f'import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))'
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def of_openmmlab(modules):
    """Those of the names that are of MMEngine, MMCV and what stands on them."""
    return [name for name in modules if name.startswith('mm') and name.split('.')[0] not in sys.stdlib_module_names]


def flat(node, prefix=''):
    """Nested dicts and lists as one dict with dotted keys."""
    if isinstance(node, (dict, list, tuple)):
        children = node.items() if isinstance(node, dict) else enumerate(node)
        return {key: leaf for name, child in children for key, leaf in flat(child, f'{prefix}.{name}').items()}
    return {prefix[1:]: node}


def logged(work_dir):
    """What the runs in a work directory logged of every step, without the times; later runs replace earlier ones."""
    found = {}
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            scalars = json.loads(line)
            if 'loss' in scalars:
                found[scalars['step']] = {key: value for key, value in scalars.items() if key not in TIMES}
    return found


def differing(a, b):
    """Keys in which two flat dicts differ, tensors compared by their bits."""
    def same(x, y):
        return torch.equal(x, y) and x.dtype == y.dtype if isinstance(x, torch.Tensor) else x == y
    return sorted(key for key in a.keys() | b.keys() if key not in a or key not in b or not same(a[key], b[key]))
