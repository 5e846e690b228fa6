"""Tables on tiny data: python -m helpers.rehearsal ROWS TABLE [options of tools/reproduce.py]

Every config is shrunk when the tool reads it, and ROWS, numbers as in 0,1,5, are the rows that the table keeps. All
else is the tool's own: data of the published formats, plan, processes, launcher, evaluation, report.
"""
import os
import re
import runpy
import signal
import sys
from functools import partial

import numpy as np
import torch

from helpers import tiny, tiny_coco, tiny_images, tiny_semi, tiny_tables
from isda_seg.paper.reproduce import catalogue, plan
from isda_seg.paper.semi_cifar.zca import ZCA, fingerprint
from isda_seg.paper.series.arm import Arm
from isda_seg.runtime.config_keys import merge_options

EPOCHS = 4        # of a classifier
LARGEST = 'LARGEST_FILE'  # environment variable: bytes beyond which a write fails, in place of a full disk
WIDTHS = [16, 32, 64, 128]  # of the levels of the small ResNet-50


def shrink(cfg, path):
    """The config at a path with a small network and a few iterations."""
    folder = re.search(r'configs/(\w+)/', path)[1]
    data = os.environ['ISDA_SEG_DATA']
    if folder == 'cityscapes':
        merge_options(cfg, Arm('', tuple(tiny_tables.CITYSCAPES)).settings)
    elif folder == 'classification':
        checkpoint = cfg.default_hooks.checkpoint
        tiny_images.shrink(cfg, epochs=EPOCHS)
        cfg.default_hooks.checkpoint = checkpoint
    elif folder == 'semi':
        classes = cfg.model.num_classes
        tiny_semi.shrink(cfg, f'{data}/zca_{classes}.npz', epochs=2, labels=max(20, classes))
    else:
        tiny_coco.shrink(cfg, images=4)
        cfg.model.backbone.update(base_channels=4, stem_channels=4)
        cfg.model.neck.update(in_channels=WIDTHS, out_channels=256)
        cfg.model.backbone.init_cfg.checkpoint = f'{data}/torchvision.pth'  # the weights of torchvision are online
    return cfg


def fewer(tables, name, rows):
    """Return the tables with only some rows of one table, and with its numbers of labels reduced to the tiny data."""
    own = tables[name]
    kept = [own.rows[number] for number in rows]
    few = [row._replace(arm=re.sub(r'(num_labels=)\d+', r'\g<1>40', row.arm),
                        baseline=re.sub(r'(num_labels=)\d+', r'\g<1>40', row.baseline)) for row in kept]
    return {**tables, name: own._replace(rows=tuple(few))}


def patch(rows, table, replace):
    """Let the tool read shrunk configs and a table with some rows; ``replace(object, name, value)`` sets both."""
    read, tables = plan.compat.read_config, catalogue.catalogue()
    replace(plan, 'read', lambda path: shrink(read(path), path))
    replace(catalogue, 'catalogue', partial(fewer, tables, table, rows))


def write_data(parent, *names):
    """The data sets of some names in the layout of their publishers, each with a few images."""
    for name in names:
        {'cifar10': write_cifar10, 'cifar100': write_cifar100, 'svhn': write_svhn, 'coco': write_coco,
         'imagenet': tiny_images.write_image_folder,
         'cityscapes': lambda folder: tiny.write_cityscapes(folder / 'cityscapes')}[name](parent)


def write_cifar10(parent):
    """100 images; its whitening is the identity, because to fit one takes longer than to train."""
    write_zca(parent, 10, tiny_images.write_cifar(parent, 10))


def write_cifar100(parent):
    write_zca(parent, 100, tiny_images.write_cifar(parent, 100, per_batch=200))


def write_zca(parent, classes, root):
    from isda_seg.classification import CIFARDataset
    images = np.stack([entry['img'] for entry in CIFARDataset(str(root), classes, split='train').load_data_list()])
    ZCA(np.zeros(3072, np.float32), np.eye(3072, dtype=np.float32), 1e-5, fingerprint(images)).save(
        parent / f'zca_{classes}.npz')


def write_svhn(parent):
    from scipy.io import savemat
    (parent / 'svhn').mkdir()
    for seed, (split, count) in enumerate((('train', 60), ('test', 20))):
        images = np.random.default_rng(seed).integers(256, size=(32, 32, 3, count), dtype=np.uint8)
        savemat(parent / 'svhn' / f'{split}_32x32.mat', dict(X=images, y=(np.arange(count) % 10 + 1)[:, None]))


def write_coco(parent):
    """Drawn images with boxes and masks, and a file in the place of torchvision's backbone."""
    tiny_coco.draw_coco(parent)
    torch.save(tiny_coco.resnet(0, base_channels=4, stem_channels=4), parent / 'torchvision.pth')


def limit_files(largest):
    """Let every write beyond a size fail, in this process and those that it starts."""
    import resource
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


if __name__ == '__main__':
    kept, *sys.argv[1:] = sys.argv[1:]
    if LARGEST in os.environ:
        limit_files(int(os.environ[LARGEST]))
    patch([int(number) for number in kept.split(',')], sys.argv[1], setattr)
    runpy.run_path(str(tiny_tables.REPRODUCE), run_name='__main__')
