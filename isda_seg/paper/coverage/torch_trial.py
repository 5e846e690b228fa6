"""Three training steps of a model of another library, compared with a float64 reference of Eq. 7."""
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.attach import attach
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
    classifier, criterion = model.get_submodule(name), ISDACriterion(ignore_index=IGNORE)
    attach(criterion, classifier, candidate.align_corners)
    entered: list[Tensor] = []
    classifier.register_forward_pre_hook(lambda _, inputs: entered.append(inputs[0].detach()))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    seen: list[tuple[Tensor, Tensor]] = []
    values, gradients, plain = [], [], False
    for strength in STRENGTHS:
        images, labels = batch(candidate.size)
        small = candidate.logits(model(images))
        logits = F.interpolate(small, size=labels.shape[1:], mode='bilinear', align_corners=candidate.align_corners)
        features = windows(classifier, entered.pop())
        seen.append(rows(features, labels, candidate.align_corners))
        criterion.strength = strength
        loss = criterion(logits, labels)
        if not strength:
            plain = torch.equal(loss, criterion.base(logits, labels, ignore_index=IGNORE))
        expected = literal(logits, labels, classifier, seen, strength)
        found, wanted = (torch.autograd.grad(value, classifier.weight, retain_graph=True)[0].double()
                         for value in (loss, expected))
        values.append(float(((loss.double() - expected).abs() / expected.abs()).detach()))
        gradients.append(float((found - wanted).norm() / wanted.norm()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    count = torch.bincount(torch.cat([own for _, own in seen]), minlength=CLASSES)
    exact = bool(torch.equal(criterion.statistics.count, count))
    return dict(library=candidate.library, model=candidate.name, classifier=name,
                kernel=list(getattr(classifier, 'kernel_size', (1, 1))), channels=features.shape[1],
                align_corners=candidate.align_corners, logits=list(small.shape[2:]), positions=list(features.shape[2:]),
                labels=list(labels.shape[1:]), strength_0_bitwise=plain, value_error=max(values),
                gradient_error=max(gradients), counts_exact=exact,
                served=plain and exact and max(values + gradients) < ALLOWED)


def batch(size: int) -> tuple[Tensor, Tensor]:
    """Create two images with blocks of equal labels, some of them void."""
    labels = torch.randint(CLASSES + 1, (2, size // 8, size // 8)).repeat_interleave(8, 1).repeat_interleave(8, 2)
    return torch.randn(2, 3, size, size), torch.where(labels == CLASSES, IGNORE, labels)


def windows(classifier: nn.Module, features: Tensor) -> Tensor:
    """Unfold the input window of a convolution at each position: (B, A k k, h, w)."""
    if not isinstance(classifier, nn.Conv2d):
        return features
    size = classifier(features).shape[2:]
    columns = F.unfold(features, classifier.kernel_size, classifier.dilation, classifier.padding, classifier.stride)
    return columns.view(len(features), -1, *size)


def rows(features: Tensor, labels: Tensor, align_corners: bool) -> tuple[Tensor, Tensor]:
    """Return labelled features (n, A) and the labels (n,) of the pixels at their positions."""
    at = [torch.tensor([int(i * (large - 1) / max(small - 1, 1) + 0.5) if align_corners else
                        int((i + 0.5) * large / small) for i in range(small)])
          for small, large in zip(features.shape[2:], labels.shape[1:], strict=True)]
    own = labels[:, at[0][:, None], at[1]].flatten()
    return features.movedim(1, -1).flatten(0, 2)[own != IGNORE].double(), own[own != IGNORE]


def literal(logits: Tensor, labels: Tensor, classifier: nn.Module, seen: list[tuple[Tensor, Tensor]],
            strength: float) -> Tensor:
    """Compute Eq. 7 directly in float64, with the covariance of all features so far."""
    samples, classes = (torch.cat(part) for part in zip(*seen, strict=True))
    weight: Tensor = classifier.weight.flatten(1).double()  # type: ignore[operator]
    exponents = logits.double().movedim(1, -1).flatten(0, -2)
    total = exponents.new_zeros(())
    for y in range(CLASSES):
        own = samples[classes == y]
        variance = own.var(dim=0, unbiased=False) if len(own) else torch.zeros(weight.shape[1], dtype=torch.float64)
        spread = ((weight - weight[y]).square() * variance).sum(dim=1)
        penalised = exponents[labels.flatten() == y] + strength / 2 * spread
        total = total + (penalised.logsumexp(dim=1) - penalised[:, y]).sum()
    return total / (labels != IGNORE).sum()
