"""A few images of COCO in COCO's layout, backbones as files, and detection configs shrunk to run on them in seconds."""

import json

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.registry import MODELS

from helpers import tiny
from isda_seg.openmmlab.config_nodes import dicts

HEADS = sorted((tiny.ROOT / 'configs' / 'coco').glob('*_isda-head_*.py'))
COCO = sorted({*(tiny.ROOT / 'configs' / 'coco').glob('*.py')} - {*HEADS})
SMALL = tiny.ROOT / 'configs' / 'coco256' / 'mask-rcnn_mobilenetv2-fpn_1xb2-12e_coco256-400x300.py'
TRAIN, VAL = 4, 2  # images
SCALE = (160, 128)


def write_coco(source, parent):
    """COCO's layout below parent/coco: the first images of coco256's training split, all with polygons."""
    root = parent / 'coco'
    (root / 'annotations').mkdir(parents=True)
    content = json.loads((source / 'annotations' / 'instances_train2017.json').read_text())
    for split, images in (('train', content['images'][:TRAIN]), ('val', content['images'][TRAIN:TRAIN + VAL])):
        (root / f'{split}2017').symlink_to(source / 'images' / 'train2017')
        known = {image['id'] for image in images}
        annotations = [annotation for annotation in content['annotations'] if annotation['image_id'] in known]
        (root / 'annotations' / f'instances_{split}2017.json').write_text(
            json.dumps(dict(content, images=images, annotations=annotations)))
    return root


def draw_coco(parent):
    """COCO's layout below parent/coco: drawn images of three rectangles, with their boxes and polygons."""
    from mmdet.datasets import CocoDataset
    root, rng = parent / 'coco', np.random.default_rng(0)
    (root / 'annotations').mkdir(parents=True)
    categories = [dict(id=number, name=name) for number, name in enumerate(CocoDataset.METAINFO['classes'], 1)]
    for split, count in (('train', TRAIN), ('val', VAL)):
        (root / f'{split}2017').mkdir()
        images, annotations = [], []
        for image in range(count):
            pixels = rng.integers(64, size=(SCALE[1], SCALE[0], 3), dtype=np.uint8)
            for category in (1, 2, 3):
                x, y, width, height = (int(value) for value in rng.integers((0, 0, 30, 30), (100, 70, 60, 55)))
                pixels[y:y + height, x:x + width] = 80 * category
                corners = [x, y, x + width, y, x + width, y + height, x, y + height]
                annotations.append(dict(id=len(annotations) + 1, image_id=image, category_id=category, iscrowd=0,
                                        area=width * height, bbox=[x, y, width, height], segmentation=[corners]))
            images.append(dict(id=image, file_name=f'{image:012}.jpg', width=SCALE[0], height=SCALE[1]))
            assert cv2.imwrite(str(root / f'{split}2017' / images[-1]['file_name']), pixels)
        (root / 'annotations' / f'instances_{split}2017.json').write_text(
            json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return root


def resnet(seed, depth=50, **others):
    """A ResNet's state dict under torchvision's names, every weight and running moment random."""
    torch.manual_seed(seed)
    state = MODELS.build(dict(type='mmseg.ResNet', depth=depth, **others)).state_dict()
    for name, value in state.items():
        if value.dtype == torch.float32:
            value.copy_(torch.rand(value.shape) + 0.5 if 'var' in name or (value.dim() == 1 and 'weight' in name)
                        else torch.randn(value.shape) * (value[0].numel() ** -0.5 if value.dim() == 4 else 0.1))
    return state


def write_authors(path, state):
    """The state as the authors released theirs: DataParallel's prefix, torchvision's names, a classifier."""
    last = {'fc.weight': torch.randn(1000, 2048), 'fc.bias': torch.randn(1000)}
    torch.save(dict(epoch=300, state_dict={f'module.{key}': value for key, value in (state | last).items()}), path)
    return path


def shrink(cfg, images=2, batch=1):
    """Small images, few of them, few candidates, one process; network, losses, hooks and schedule stay the config's."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False
        for step in loader.dataset.pipeline:
            if step.type == 'Resize':
                step.scale = SCALE
    cfg.train_dataloader.batch_size = batch
    cfg.train_dataloader.dataset.indices = images
    cfg.val_dataloader.dataset.indices = cfg.test_dataloader.dataset.indices = VAL
    for node in dicts(cfg.model.train_cfg):
        if node.get('type') == 'RandomSampler':
            node.num = 32
    cfg.model.train_cfg.rpn_proposal.max_per_img = cfg.model.test_cfg.rpn.max_per_img = 50
    cfg.model.test_cfg.rcnn.update(score_thr=0.0, max_per_img=5)  # so that an untrained detector detects
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.default_hooks.logger.interval = 1


class Watch(Hook):
    """Remembers the state that training starts from, and the batch and the losses of every step."""

    priority = 'LOWEST'

    def __init__(self):
        self.start, self.steps = {}, []

    def before_train(self, runner):
        self.start = {key: value.clone() for key, value in runner.model.state_dict().items()}

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        boxes = [sample.gt_instances.bboxes.tensor for sample in data_batch['data_samples']]
        self.steps.append(dict(batch=tiny.digest([*data_batch['inputs'], *boxes]),
                               losses={key: value.item() for key, value in outputs.items()}))


def train(config, work_dir, change=shrink, **others):
    """Train to the end and return the runner and what a ``Watch`` saw."""
    runner, watch = tiny.build(config, work_dir, change=change, **others), Watch()
    runner.register_hook(watch)
    runner.train()
    return runner, watch
