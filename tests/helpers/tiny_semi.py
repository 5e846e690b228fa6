"""A network of a few weights with dropout and batch norm, students that can be written down, and oracles in numpy."""
import numpy as np
import torch
from torch import nn

from helpers import tiny, tiny_images
from isda_seg.openmmlab.config_nodes import dicts

CLASSES, PIXELS = 4, 3 * 2 * 2
SEMI = tiny.ROOT / 'configs' / 'semi'


class Linear(nn.Module):
    """Logits that are linear in the pixels, in float64, so that every value can be written down."""

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(CLASSES, PIXELS, generator=generator, dtype=torch.float64))

    def forward(self, images):
        return images.to(self.weight.dtype).flatten(1) @ self.weight.t()


class Backbone(nn.Module):
    """Convolution, batch norm, dropout."""

    out_channels = 5

    def __init__(self, dropout=0.3):
        super().__init__()
        self.conv, self.norm, self.dropout = nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.Dropout(dropout)

    def forward(self, images):
        return (self.dropout(self.norm(self.conv(images)).relu()),)


def images(count=6, seed=1, dtype=torch.float32):
    return torch.randn(count, 3, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def softmax(logits):
    """In float64."""
    logits = np.asarray(logits, dtype=np.float64)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def shrink(cfg, zca_file, batch=20, epochs=1, labels=20):
    """A narrow CNN-13 on 100 images, 20 of them labelled; loss, method, transforms and hooks stay the config's."""
    tiny_images.single_process(cfg)
    cfg.model.backbone.width = 1 / 32
    cfg.train_dataloader.batch_size = cfg.val_dataloader.batch_size = cfg.test_dataloader.batch_size = batch
    cfg.train_dataloader.dataset.num_labels = labels
    for node in dicts([cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader]):
        if node.get('type') == 'WhitenedDataset':
            node.file = str(zca_file)
    cfg.train_cfg.max_epochs = cfg.param_scheduler[0].T_max = epochs
    cfg.default_hooks.logger.interval = 1
