"""Networks fit their training images, and five epochs on real images beat a linear classifier on pixels."""
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers import tiny, tiny_images
from helpers.exhaustive import exhaustive

import isda_seg.paper.networks  # noqa: F401  registers WideResNet
from isda_seg.classification import CIFARDataset

pytestmark = tiny.on_cpu

CONFIG = tiny_images.CLASSIFICATION / 'cifar10_subset' / 'resnet32_isda_cifar10-subset.py'
IMAGES, SIZE = 256, 16  # small ones, for the time it takes


@pytest.fixture(scope='module')
def subset(data_folder):
    """The folder of the real images; ISDA_SEG_DATA names the one that holds it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(data_folder('cifar10').parent))
        yield str(data_folder('cifar10'))


def learned(cfg, epochs, lr, batch):
    """A short cosine schedule, tested once at its end."""
    cfg.train_dataloader.batch_size = batch
    cfg.train_cfg.update(max_epochs=epochs, val_begin=epochs)
    cfg.optim_wrapper.optimizer.lr = lr
    cfg.param_scheduler = [dict(type='CosineAnnealingLR', T_max=epochs)]
    cfg.default_hooks.checkpoint = None


def error(runner):
    """top1_error in per cent, of the last test."""
    return runner.message_hub.get_scalar('val/top1_error').current()


@exhaustive('backbone, epochs, lr', [
    (dict(type='WideResNet', depth=10, width=2), 14, 0.05), (dict(type='ResNetCifar', depth=32), 22, 0.02)],
    ids=['Wide-ResNet-10-2', 'ResNet-32'])
def test_a_network_fits_256_images_to_99_per_cent(subset, tmp_path, backbone, epochs, lr):
    def change(cfg):
        pipeline = [dict(type='Resize', scale=(SIZE, SIZE)), dict(type='PackImages')]
        cfg.model.backbone = backbone
        cfg.train_dataloader.dataset.update(indices=IMAGES, pipeline=pipeline)
        cfg.val_dataloader.dataset.update(indices=IMAGES, pipeline=pipeline, split='train')
        learned(cfg, epochs, lr, batch=32)

    runner, _ = tiny.train(CONFIG, tmp_path, change=change)
    assert int(runner.model.loss.statistics.count.sum()) == IMAGES * epochs
    assert error(runner) <= 1


def pixels(root, split):
    """Images (N, 3072) around 0, and labels (N,)."""
    dataset = CIFARDataset(root, split=split)
    found = [dataset.get_data_info(index) for index in range(len(dataset))]
    images = torch.from_numpy(np.stack([item['img'].reshape(-1) for item in found]))
    return images.float() / 255 - 0.5, torch.tensor([item['gt_label'] for item in found])


def linear_error(root, decay):
    """Of logistic regression on the pixels of all 10,000 training images, in per cent."""
    images, labels = pixels(root, 'train')
    classifier = torch.nn.Linear(3072, 10)
    torch.nn.init.zeros_(classifier.weight)
    optimizer = torch.optim.LBFGS(classifier.parameters(), max_iter=50, line_search_fn='strong_wolfe')

    def loss():
        optimizer.zero_grad()
        value = F.cross_entropy(classifier(images), labels) + decay * classifier.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    images, labels = pixels(root, 'test')
    return 100 * float((classifier(images).argmax(dim=1) != labels).double().mean())


@pytest.mark.exhaustive
def test_five_epochs_beat_a_linear_classifier_on_pixels(subset, tmp_path):
    def change(cfg):
        cfg.model.backbone.depth = 8
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            loader.dataset.pipeline.insert(0, dict(type='Resize', scale=(SIZE, SIZE)))
        cfg.train_dataloader.dataset.pipeline[1].update(size=SIZE, padding=2)
        learned(cfg, epochs=5, lr=0.1, batch=64)

    runner, _ = tiny.train(CONFIG, tmp_path, change=change)
    linear = linear_error(subset, decay=1e-2)
    assert linear < 65  # a fair opponent: chance is 90
    assert error(runner) < linear - 5
