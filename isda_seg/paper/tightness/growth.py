"""Gap between bound and expectation over the strength and over the number of classes."""
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from isda_seg.paper.tightness.head_samples import HeadSamples
from isda_seg.paper.tightness.tightness import Tightness, summary, tightness

CLASSES = (2, 5, 10, 20, 50, 100, 200, 500)  # used if well below the number of classes of a head
SUBSETS = 10                                 # number of random class subsets


def head_tightness(samples: HeadSamples, strength: float, num_samples: int, seed: int) -> Tightness:
    """Measure the tightness for the samples of a head at a strength, with seeded Monte Carlo samples."""
    generator = torch.Generator(samples.logits.device).manual_seed(seed)
    return tightness(samples.logits, samples.labels, samples.weight, samples.covariance, strength,
                     num_samples=num_samples, generator=generator)


def over_strengths(samples: HeadSamples, strengths: Iterable[float], num_samples: int,
                   seed: int) -> list[dict[str, Any]]:
    """Measure the same samples at several strengths."""
    return [dict(head=samples.head, strength=strength, **summary(head_tightness(samples, strength, num_samples, seed)))
            for strength in sorted(set(strengths))]


def over_classes(samples: HeadSamples, strength: float, num_samples: int, seed: int) -> list[dict[str, Any]]:
    """Measure the softmax over k of the C classes: means over ten random subsets, and finally all classes.

    A subset uses the samples whose label, or prediction if unlabelled, belongs to it.
    """
    total = len(samples.weight)
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for size in [*(size for size in CLASSES if 1.5 * size <= total), total]:
        subsets = [torch.randperm(total, generator=generator)[:size] for _ in range(SUBSETS if size < total else 1)]
        parts = [head_tightness(part, strength, num_samples, seed + index) for index, classes in enumerate(subsets)
                 if len((part := restrict_classes(samples, classes)).logits)]
        if parts:
            pooled = Tightness(*(torch.cat(values) for values in zip(*parts, strict=True)))
            rows.append(dict(head=samples.head, classes=size, strength=strength, **summary(pooled)))
    return rows


def restrict_classes(samples: HeadSamples, classes: Tensor) -> HeadSamples:
    """Restrict samples, weight and covariances to some classes (k,)."""
    classes = classes.to(samples.logits.device).sort().values
    kept = torch.isin(samples.logits.argmax(dim=1) if samples.labels is None else samples.labels, classes)
    return samples._replace(
        logits=samples.logits[kept][:, classes],
        labels=None if samples.labels is None else torch.searchsorted(classes, samples.labels[kept]),
        weight=samples.weight[classes],
        covariance=samples.covariance if len(samples.covariance) == 1 else samples.covariance[classes])
