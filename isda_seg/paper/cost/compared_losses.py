"""The three compared losses, forward and backward, on the same tensors."""
from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.cost.literal import LiteralISDA
from isda_seg.paper.cost.workload import IGNORED, Tensors, Workload

STRENGTH = 7.5


def baseline_loss(tensors: Tensors) -> Callable[[], Tensor]:
    """Return the cross-entropy, averaged over the labelled samples, as a function without arguments."""
    return lambda: F.cross_entropy(tensors.logits, tensors.labels, ignore_index=IGNORED)


def isda_loss(tensors: Tensors, workload: Workload, resolution: str = 'label') -> Callable[[], Tensor]:
    """Return a function that computes the loss of the criterion: statistics, margin table and cross-entropy."""
    criterion = ISDACriterion(workload.covariance, resolution, ignore_index=IGNORED)
    criterion.strength = STRENGTH
    attach(criterion, tensors.classifier, workload.align_corners)

    def loss() -> Tensor:
        criterion.capture(tensors.classifier, (tensors.features,))
        return criterion(tensors.logits, tensors.labels)
    return loss


def literal_form(tensors: Tensors, workload: Workload) -> LiteralISDA:
    """Create the literal N x C x A form of a workload, with empty statistics."""
    return LiteralISDA(workload.classes, workload.features[1], workload.covariance == 'full', STRENGTH, IGNORED,
                       device=tensors.features.device)


def literal_loss(tensors: Tensors, workload: Workload) -> Callable[[], Tensor]:
    """Return the loss of the literal N x C x A form, which also updates its statistics."""
    form = literal_form(tensors, workload)
    features, labels, classifier, logits = tensors

    def loss() -> Tensor:
        rows, on_grid = form.rows(features, labels, workload.align_corners)
        form.observe(rows, on_grid)
        return form.loss(logits, labels, tuple(features.shape[2:]), on_grid, classifier.weight, workload.align_corners)
    return loss


def forward_backward(loss: Callable[[], Tensor], tensors: Tensors) -> Callable[[], None]:
    """Return a step that runs forward, runs backward into logits and classifier, and releases the gradients."""
    def step() -> None:
        loss().backward()
        tensors.logits.grad = None
        for parameter in tensors.classifier.parameters():
            parameter.grad = None
    return step
