"""Three training steps of a model of another library, compared with a float64 reference of Eq. 7."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.attach import attach
from isda_seg.core.reference import isda_cross_entropy
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.coverage.torch_models import CLASSES, Candidate

IGNORE = 255
STRENGTHS = (0.0, 2.0, 4.0)
ALLOWED = 2e-4  # maximum relative error of float32 against float64


def trial(candidate: Candidate) -> dict[str, Any]:
    """Train three steps and return settings and errors of value, gradient and counts."""
    torch.manual_seed(0)
    model = candidate.build().train()
    name = candidate.classifier(model)
    classifier: Any = model.get_submodule(name)
    criterion = ISDACriterion(ignore_index=IGNORE)
    attach(criterion, classifier, candidate.align_corners)
    inputs: list[Tensor] = []
    classifier.register_forward_pre_hook(lambda _, args: inputs.append(args[0].detach()))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    observed: list[tuple[Tensor, Tensor]] = []
    values, gradients, bitwise = [], [], False
    for strength in STRENGTHS:
        images, labels = batch(candidate.size)
        small = candidate.logits(model(images))
        logits = F.interpolate(small, size=labels.shape[1:], mode='bilinear', align_corners=candidate.align_corners)
        features = windows(classifier, inputs.pop())
        observed.append(rows(features, labels, candidate.align_corners))
        criterion.strength = strength
        loss = criterion(logits, labels)
        if not strength:
            bitwise = torch.equal(loss, criterion.base(logits, labels, ignore_index=IGNORE))
        expected = literal(logits, labels, classifier.weight.flatten(1), observed, strength)
        gradient, reference = (torch.autograd.grad(value, classifier.weight, retain_graph=True)[0].double()
                         for value in (loss, expected))
        values.append(float(((loss.double() - expected).abs() / expected.abs()).detach()))
        gradients.append(float((gradient - reference).norm() / reference.norm()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    count = torch.bincount(torch.cat([labels for _, labels in observed]), minlength=CLASSES)
    exact = torch.equal(criterion.statistics.count, count)
    return dict(library=candidate.library, model=candidate.name, classifier=name,
                kernel=list(getattr(classifier, 'kernel_size', (1, 1))), channels=features.shape[1],
                align_corners=candidate.align_corners, logits=list(small.shape[2:]), positions=list(features.shape[2:]),
                labels=list(labels.shape[1:]), strength_0_bitwise=bitwise, value_error=max(values),
                gradient_error=max(gradients), counts_exact=exact,
                supported=bitwise and exact and max(values + gradients) < ALLOWED)


def batch(size: int) -> tuple[Tensor, Tensor]:
    """Create two images with blocks of equal labels, some of them void."""
    labels = torch.randint(CLASSES + 1, (2, size // 8, size // 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    return torch.randn(2, 3, size, size), torch.where(labels == CLASSES, IGNORE, labels)


def windows(classifier: nn.Module, features: Tensor) -> Tensor:
    """Unfold the input window of a convolution at each position: (B, A k k, h, w)."""
    if not isinstance(classifier, nn.Conv2d):
        return features
    layer: Any = classifier
    columns = F.unfold(features, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return columns.view(len(features), -1, *layer(features).shape[2:])


def rows(features: Tensor, labels: Tensor, align_corners: bool) -> tuple[Tensor, Tensor]:
    """Return labelled features (n, A) and the labels (n,) of the pixels at their positions."""
    at = [torch.tensor([int(i * (large - 1) / max(small - 1, 1) + 0.5) if align_corners else
                        int((i + 0.5) * large / small) for i in range(small)])
          for small, large in zip(features.shape[2:], labels.shape[1:], strict=True)]
    labels = labels[:, at[0][:, None], at[1]].flatten()
    return features.movedim(1, -1).flatten(0, 2)[labels != IGNORE].double(), labels[labels != IGNORE]


def literal(logits: Tensor, labels: Tensor, weight: Tensor, observed: list[tuple[Tensor, Tensor]],
            strength: float) -> Tensor:
    """Compute Eq. 7 by ``core.reference`` in float64, with the covariance of all features so far."""
    features, classes = (torch.cat(part) for part in zip(*observed, strict=True))
    variance = features.new_zeros(CLASSES, features.shape[1])
    for y in classes.unique():
        variance[y] = features[classes == y].var(dim=0, unbiased=False)
    pixels = labels != IGNORE
    return isda_cross_entropy(logits.double().movedim(1, -1)[pixels], labels[pixels], weight.double(),
                              torch.diag_embed(variance), strength)
