"""Archives and folders of a few images in the formats of CIFAR and ImageNet, and configs shrunk to them."""

import pickle
import tarfile
from typing import NamedTuple

import cv2
import numpy as np

from helpers import tiny

CLASSIFICATION = tiny.ROOT / 'configs' / 'classification'


class Members(NamedTuple):
    """Names in one of CIFAR's archives."""
    archive: str
    folder: str
    meta: str
    names: str
    labels: str
    batches: tuple


CIFAR = {
    10: Members('cifar-10-python.tar.gz', 'cifar-10-batches-py', 'batches.meta', 'label_names', 'labels',
                (*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch')),
    100: Members('cifar-100-python.tar.gz', 'cifar-100-python', 'meta', 'fine_label_names', 'fine_labels',
                 ('train', 'test'))}


def write_cifar(parent, num_classes=10, per_batch=20, **batches):
    """Write folder and archive into parent/cifar<num_classes>, which is returned; `batches` replace those of noise."""
    archive, folder, meta, names, labels, members = CIFAR[num_classes]
    root = parent / f'cifar{num_classes}'
    (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(0)
    files = {meta: {names: [f'class {i}' for i in range(num_classes)]}}
    for member in members:
        files[member] = batches.get(member) or {
            'data': rng.integers(256, size=(per_batch, 3072), dtype=np.uint8),
            labels: [i % num_classes for i in range(per_batch)]}
    for name, content in files.items():
        (root / folder / name).write_bytes(pickle.dumps(content, protocol=2))
    with tarfile.open(root / archive, 'w:gz') as tar:
        tar.add(root / folder, folder)
    return root


def write_image_folder(parent):
    """Two classes, three training images and two test images each, of growing size; a 40 x 30 image has grey b."""
    root = parent / 'imagenet'
    for split, count in (('train', 3), ('val', 2)):
        for grey, name in ((50, 'n02'), (200, 'n01')):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                cv2.imwrite(str(root / split / name / f'{i}.JPEG'), np.full((30 + i, 40 + i, 3), grey, np.uint8))
    return root


def write_all(parent):
    """All three datasets; returns the folder that ISDA_SEG_DATA names."""
    write_cifar(parent, 10)
    write_cifar(parent, 100, per_batch=100)
    write_image_folder(parent)
    return parent


def single_process(cfg):
    """No workers; nothing else changes."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.num_workers, loader.persistent_workers = 0, False


def few(cfg, train, batch, epochs=1):
    """The first `train` images, `batch` at a time, two test images, no checkpoints."""
    single_process(cfg)
    cfg.train_dataloader.batch_size = batch
    cfg.train_dataloader.dataset.indices = train
    cfg.val_dataloader.dataset.indices = cfg.test_dataloader.dataset.indices = 2
    cfg.train_cfg.max_epochs = epochs
    cfg.default_hooks.checkpoint = None
    cfg.default_hooks.logger.interval = 1


def resized(cfg, size):
    """Crops of another size than 224, in training and in testing."""
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for transform in loader.dataset.pipeline:
            if transform.type == 'RandomResizedCrop':
                transform.size = size
            elif transform.type == 'CenterCrop':
                transform.crop_size = size
            elif transform.type == 'Resize':
                transform.scale = (100000, size)


SMALL = {  # the networks at toy size
    'ResNetCifar': dict(depth=8), 'SEResNetCifar': dict(depth=8), 'WideResNet': dict(depth=10, width=1),
    'ResNeXtCifar': dict(depth=11, groups=2, base_width=8), 'DenseNetCifar': dict(depth=10),
    'ShakeShake': dict(depth=8, channels=4), 'DenseNetImageNet': {},
    'mmseg.ResNet': dict(base_channels=4, stem_channels=4), 'mmseg.ResNeXt': dict(base_channels=8, stem_channels=8)}


def shrink(cfg, train=12, batch=4, epochs=1):
    """A small network on a few images; loss, transforms, hooks and schedule stay the config's."""
    cfg.model.backbone.update(SMALL[cfg.model.backbone.type])
    few(cfg, train, batch, epochs)
    resized(cfg, 32)
