"""Segmentation experiment of tools/gain.py --segmentation: a small network on synthetic street scenes.

Every pair of runs has its own 16 training scenes, which the network fits; all are tested on the same other scenes. Both
arms train with logit adjustment, and each is tested with its own further tau: tau * log prior is subtracted from the
logits (Menon et al., ICLR 2021).
"""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from isda_seg.attach import attach
from isda_seg.core import linear_ramp
from isda_seg.core.prior import adjust_logits, log_prior
from isda_seg.criterion import ISDACriterion
from isda_seg.demo_data.dataset import street
from isda_seg.metrics.likelihood import likelihood, measures

LAMBDA_0, PAIRS = 0.5, 8
TRAINING_TAU, TEST_TAU = 0.5, {0: 0.2, LAMBDA_0: 0.3}  # --sweep tries other tau at test time
SWEPT, SWEPT_TAU, SWEEP_SEEDS = (0, 0.25, 0.5, 1, 2), (0, 0.2, 0.3, 0.5, 0.7), range(1000, 1004)
CLASSES, IGNORED, SIZE = 19, 255, (64, 128)
SCENES, TEST_SCENES, BATCH, STEPS = 16, 60, 4, 800
MEASURES = {'miou': 'mIoU with the further tau of the arm, %', 'miou_0': 'mIoU without it, %',
            'accuracy': 'pixel accuracy without it, %', 'nll': 'negative log-likelihood without it',
            'ece': 'expected calibration error without it, %', 'train': 'training accuracy, %'}
SWEPT_MEASURES = {f'miou_{tau:g}': f'mIoU at a further tau of {tau:g}, %' for tau in SWEPT_TAU}


def scenes(seed, split, number):
    """Create images (number, 3, H, W) and labels (number, H, W), rendered at twice the size."""
    drawn = [street(seed, split, index, 2 * SIZE[0], 2 * SIZE[1]) for index in range(number)]
    images = torch.from_numpy(np.stack([image for image, _ in drawn])).permute(0, 3, 1, 2).float()
    labels = torch.from_numpy(np.stack([labels for _, labels in drawn])).long()
    return F.avg_pool2d(images, 2) / 60 - 2, labels[:, ::2, ::2]


def block(inputs, outputs, stride=1, dilation=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, dilation, dilation, bias=False),
                         nn.BatchNorm2d(outputs), nn.ReLU())


class Network(nn.Module):
    """Dilated convolutions at stride 4, fused with features at stride 2, and a linear ``classifier``."""

    def __init__(self, width=32):
        super().__init__()
        wide = 2 * width
        self.shallow = nn.Sequential(block(3, width // 2, 2), block(width // 2, width))
        self.deep = nn.Sequential(block(width, wide, 2), *(block(wide, wide, 1, dilation) for dilation in (1, 2, 4, 8)))
        self.fuse = block(width + wide, wide)
        self.classifier = nn.Conv2d(wide, CLASSES, 1)

    def forward(self, images):
        shallow = self.shallow(images)
        deep = F.interpolate(self.deep(shallow), shallow.shape[2:], mode='bilinear')
        logits = self.classifier(self.fuse(torch.cat([shallow, deep], dim=1)))
        return F.interpolate(logits, images.shape[2:], mode='bilinear')


def run(seed, lambda_0, held_out=False):
    """Train with one seed and one final strength (0: logit-adjusted cross-entropy), and return the measures."""
    torch.set_num_threads(1)
    images, labels = scenes(seed, 'train', SCENES)
    torch.manual_seed(seed)
    model = Network()
    criterion = ISDACriterion(covariance='full', ignore_index=IGNORED, logit_adjustment=TRAINING_TAU)
    attach(criterion, model.classifier)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, STEPS, power=0.9)
    batches = torch.cat([torch.randperm(SCENES) for _ in range(STEPS * BATCH // SCENES)]).split(BATCH)
    for step, batch in enumerate(batches, 1):
        criterion.strength = linear_ramp(step, STEPS, lambda_0)
        turn = [-1] if torch.rand(()) < 0.5 else []
        loss = criterion(model(images[batch].flip(turn)), labels[batch].flip(turn))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    prior = log_prior(torch.bincount(labels[labels != IGNORED], minlength=CLASSES))
    test = scenes(int(held_out), 'val', TEST_SCENES)
    return dict(evaluate(model, *test, prior, TEST_TAU.get(lambda_0, 0)), train=accuracy(model, images, labels))


@torch.no_grad()
def evaluate(model, images, labels, prior, own_tau):
    """Return mIoU at every further tau, and accuracy, NLL and calibration of the plain logits."""
    taus = sorted({*SWEPT_TAU, own_tau})
    confusion, sums = torch.zeros(len(taus), CLASSES ** 2), []
    for some, own in zip(images.split(10), labels.split(10), strict=True):
        known = own != IGNORED
        logits, own = model(some).movedim(1, -1)[known], own[known]
        sums.append(likelihood(logits, own))
        for place, tau in enumerate(taus):
            predicted = adjust_logits(logits, -tau * prior).argmax(dim=1)
            confusion[place] += torch.bincount(CLASSES * own + predicted, minlength=CLASSES ** 2)
    confusion = confusion.view(-1, CLASSES, CLASSES)
    hits = confusion.diagonal(dim1=1, dim2=2)
    miou = dict(zip(taus, (100 * hits / (confusion.sum(1) + confusion.sum(2) - hits)).nanmean(dim=1).tolist(),
                    strict=True))
    return dict(measures(sums), miou=miou[own_tau], **{f'miou_{tau:g}': miou[tau] for tau in SWEPT_TAU},
                accuracy=100 * float(hits[0].sum() / confusion[0].sum()))


@torch.no_grad()
def accuracy(model, images, labels):
    """Return the pixel accuracy in per cent."""
    known = labels != IGNORED
    return 100 * float((model(images).argmax(dim=1) == labels)[known].float().mean())
