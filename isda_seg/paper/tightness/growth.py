"""How the gap below the bound grows with the strength, and with the number of classes."""
from collections.abc import Iterable
from typing import Any

import torch

from isda_seg.paper.tightness.head_samples import HeadSamples
from isda_seg.paper.tightness.tightness import Tightness, summary, tightness

CLASSES = (2, 5, 10, 20, 50, 100, 200, 500)  # those well below what a head has
SUBSETS = 10                                 # random sets of so many classes


def measured(samples: HeadSamples, strength: float, draws: int, seed: int) -> Tightness:
    """Of a head's samples at some strength, with draws that follow from the seed."""
    generator = torch.Generator(samples.logits.device).manual_seed(seed)
    return tightness(samples.logits, samples.labels, samples.weight, samples.covariance, strength, draws=draws,
                     generator=generator)


def over_strengths(samples: HeadSamples, strengths: Iterable[float], draws: int, seed: int) -> list[dict[str, Any]]:
    """The same samples, weight and covariances at other strengths."""
    return [dict(head=samples.head, strength=strength, **summary(measured(samples, strength, draws, seed)))
            for strength in sorted(set(strengths))]


def over_classes(samples: HeadSamples, strength: float, draws: int, seed: int) -> list[dict[str, Any]]:
    """The softmax over k classes instead of C: means over ten random sets of k, and all of the C at the end.

    A sample counts where its label, or without labels its prediction, is one of the k.
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
    """The samples of some classes (k,), with the weight's rows and the covariances of those alone."""
    classes = classes.to(samples.logits.device).sort().values
    own = samples.logits.argmax(dim=1) if samples.labels is None else samples.labels
    counts = torch.isin(own, classes)
    return samples._replace(
        logits=samples.logits[counts][:, classes],
        labels=None if samples.labels is None else torch.searchsorted(classes, samples.labels[counts]),
        weight=samples.weight[classes],
        covariance=samples.covariance if len(samples.covariance) == 1 else samples.covariance[classes])
