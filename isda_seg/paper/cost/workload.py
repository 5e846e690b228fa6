"""Tensor sizes at which the losses are measured."""
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isda_seg.core.ops.upsampled import resize

IGNORED = -100
BLOCKS = 12  # per image side: labels are constant within a block, like objects, and one block in ten is ignored
FLOAT = 4    # bytes


@dataclass(frozen=True)
class Workload:
    """Shapes of features and labels, number of classes and kind of covariance."""
    name: str
    classes: int
    features: tuple[int, ...]  # (B, A, h, w) or (N, A)
    labels: tuple[int, ...]    # (B, H, W) or (N,)
    covariance: str = 'diagonal'
    align_corners: bool = False

    @property
    def samples(self) -> int:
        """Number N of feature pixels or feature vectors."""
        return prod(self.features) // self.features[1]

    @property
    def pixels(self) -> bool:
        """Whether the workload is segmentation, not image classification."""
        return len(self.features) > 2

    @property
    def logits_bytes(self) -> int:
        """Size of the logits at label resolution."""
        return FLOAT * self.classes * prod(self.labels)

    @property
    def least_bytes(self) -> int:
        """Bytes of reading the features, writing the augmented logits and reading their gradient, once each."""
        return FLOAT * prod(self.features) + 2 * self.logits_bytes

    @property
    def literal_bytes(self) -> int:
        """Size of one N x C x A tensor."""
        return FLOAT * self.samples * self.classes * self.features[1]

    def describe(self) -> dict[str, Any]:
        """Return the entries for a result file."""
        return dict(name=self.name, classes=self.classes, features=list(self.features), labels=list(self.labels),
                    covariance=self.covariance, align_corners=self.align_corners, samples=self.samples,
                    logits_bytes=self.logits_bytes)


SIZES = (
    Workload('Cityscapes crop', 19, (2, 512, 97, 97), (2, 769, 769), align_corners=True),
    Workload('Cityscapes crop, full covariances', 19, (2, 512, 97, 97), (2, 769, 769), 'full', align_corners=True),
    Workload('ADE20K crop', 150, (4, 512, 64, 64), (4, 512, 512)),
    Workload('ImageNet classifier', 1000, (64, 2048), (64,)),
    Workload('CIFAR-100 classifier', 100, (128, 640), (128,), covariance='full'),
)
TOY_SIZES = (
    Workload('Cityscapes crop', 5, (2, 16, 9, 9), (2, 65, 65), align_corners=True),
    Workload('Cityscapes crop, full covariances', 5, (2, 16, 9, 9), (2, 65, 65), 'full', align_corners=True),
    Workload('ADE20K crop', 7, (2, 8, 8, 8), (2, 32, 32)),
    Workload('ImageNet classifier', 10, (8, 16), (8,)),
    Workload('CIFAR-100 classifier', 6, (12, 10), (12,), covariance='full'),
)


class Tensors(NamedTuple):
    """Inputs of all losses in one comparison."""
    features: Tensor       # shape as in the workload, without gradient
    labels: Tensor         # shape as in the workload
    classifier: nn.Linear | nn.Conv2d  # its weight receives the gradient of ISDA
    logits: Tensor         # (B, C, H, W) at label resolution, or (N, C); a leaf


def make_tensors(workload: Workload, device: torch.device, seed: int = 0) -> Tensors:
    """Create normally distributed features, block-shaped labels and the logits of a linear classifier."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(workload.features, generator=generator)
    labels = make_labels(workload.labels, workload.classes, generator)
    channels, classes = workload.features[1], workload.classes
    classifier: nn.Linear | nn.Conv2d = nn.Conv2d(channels, classes, 1) if workload.pixels else \
        nn.Linear(channels, classes)
    with torch.no_grad():
        for parameter in classifier.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / channels ** 0.5)
        classifier.to(device)
        features, labels = features.to(device), labels.to(device)
        logits = classifier(features)
        logits = resize(logits, workload.labels[1:], workload.align_corners) if workload.pixels else logits
    return Tensors(features, labels, classifier, logits.contiguous().requires_grad_())


def make_labels(shape: tuple[int, ...], classes: int, generator: torch.Generator) -> Tensor:
    """Sample independent labels (N,), or label maps (B, H, W) of constant blocks, a tenth of them ignored."""
    if len(shape) == 1:
        return torch.randint(classes, shape, generator=generator)
    blocks = torch.randint(classes, (shape[0], BLOCKS, BLOCKS), generator=generator)
    blocks[torch.rand(blocks.shape, generator=generator) < 0.1] = IGNORED
    rows, columns = (torch.arange(size) * BLOCKS // size for size in shape[1:])
    return blocks[:, rows[:, None], columns]


def cut_slice(tensors: Tensors, parts: int) -> tuple[Tensors, float]:
    """Cut about 1 / ``parts`` of the samples from the top of every image; return the slice and the exact factor."""
    features, labels, classifier, logits = tensors
    if parts <= 1:
        return tensors, 1.0
    if features.dim() == 2:
        kept = max(1, len(features) // parts)
        return Tensors(features[:kept], labels[:kept], classifier, _leaf(logits[:kept])), len(features) / kept
    kept = max(1, features.shape[2] // parts)
    rows = max(1, round(labels.shape[1] * kept / features.shape[2]))
    part = Tensors(features[:, :, :kept].contiguous(), labels[:, :rows].contiguous(), classifier,
                   _leaf(logits[:, :, :rows]))
    return part, features.shape[2] / kept


def _leaf(logits: Tensor) -> Tensor:
    return logits.detach().contiguous().requires_grad_()
