"""Gap between bound and expectation over the strength and over the number of classes."""
from collections.abc import Iterable
from typing import Any

import torch

from isda_seg.paper.tightness.head_samples import HeadSamples
from isda_seg.paper.tightness.tightness import Tightness, summary, tightness

CLASSES = (2, 5, 10, 20, 50, 100, 200, 500)  # used if well below the number of classes of a head
SUBSETS = 10                                 # number of random class subsets


def measured(samples: HeadSamples, strength: float, draws: int, seed: int) -> Tightness:
    """Measure the tightness for the samples of a head at a strength, with seeded Monte Carlo samples."""
    generator = torch.Generator(samples.logits.device).manual_seed(seed)
    return tightness(samples.logits, samples.labels, samples.weight, samples.covariance, strength, draws=draws,
                     generator=generator)


def over_strengths(samples: HeadSamples, strengths: Iterable[float], draws: int, seed: int) -> list[dict[str, Any]]:
    """Measure the same samples at several strengths."""
    return [dict(head=samples.head, strength=strength, **summary(measured(samples, strength, draws, seed)))
            for strength in sorted(set(strengths))]


def over_classes(samples: HeadSamples, strength: float, draws: int, seed: int) -> list[dict[str, Any]]:
    """Measure the softmax over k of the C classes: means over ten random subsets, and finally all classes.

    A subset uses the samples whose label, or prediction if unlabelled, belongs to it.
    """
    total = len(samples.weight)
    choice = torch.Generator().manual_seed(seed)
    found = []
    for k in [*(k for k in CLASSES if 1.5 * k <= total), total]:
        sets = [torch.randperm(total, generator=choice)[:k] for _ in range(SUBSETS if k < total else 1)]
        parts = [measured(part, strength, draws, seed + number) for number, classes in enumerate(sets)
                 if len((part := among(samples, classes)).logits)]
        if parts:
            pooled = Tightness(*(torch.cat(values) for values in zip(*parts, strict=True)))
            found.append(dict(head=samples.head, classes=k, strength=strength, **summary(pooled)))
    return found


def among(samples: HeadSamples, classes: torch.Tensor) -> HeadSamples:
    """Restrict samples, weight and covariances to some classes (k,)."""
    classes = classes.to(samples.logits.device).sort().values
    own = samples.logits.argmax(dim=1) if samples.labels is None else samples.labels
    counts = torch.isin(own, classes)
    return samples._replace(
        logits=samples.logits[counts][:, classes],
        labels=None if samples.labels is None else torch.searchsorted(classes, samples.labels[counts]),
        weight=samples.weight[classes],
        covariance=samples.covariance if len(samples.covariance) == 1 else samples.covariance[classes])
