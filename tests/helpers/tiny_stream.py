"""A stream of noise images with features of three classes, as a pass over a split yields it."""

import torch

from isda_seg.criterion import ISDACriterion
from isda_seg.paper.features.classifier_inputs import Batch

NAMES = ['cat', 'dog', 'traffic light']


def stream(size=(), images=24, channels=5, batch=7, classes=2, seed=0):
    """Features (B, A, *size) of the first `classes` classes, 16 x 16 pixels each; logits are right."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (images, *size), generator=generator)
    features = torch.randn(images, *size, channels, generator=generator) + labels[..., None]
    pixels = torch.randint(256, (images, 3, 16, 16), generator=generator, dtype=torch.uint8)
    logits = torch.nn.functional.one_hot(labels, len(NAMES)).float().movedim(-1, 1)
    parts = zip(*(part.split(batch) for part in (features.movedim(-1, 1), labels, logits, pixels)),
                torch.arange(images).split(batch), strict=True)
    for *tensors, numbers in parts:
        yield Batch(*tensors, [f'/somewhere/{number}.png' for number in numbers.tolist()])


def loss_of(kind='diagonal', seen=True, **keys):
    """An ISDA loss whose statistics have seen the stream's vectors, or nothing."""
    loss = ISDACriterion(covariance=kind, **keys)
    loss.prepare(len(NAMES), 5)
    for step in stream() if seen else ():
        loss.statistics.observe(step.features, step.labels)
    return loss
