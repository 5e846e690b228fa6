"""Analysis of deep features: t-SNE (Fig. 8), covariances and margin tables."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.manifold import TSNE
from torch import Tensor

from isda_seg.attachment.captured_inputs import weight_of
from isda_seg.core import ClassMoments, class_moments, margin_variance, merge
from isda_seg.paper.features.class_sample import Sample, draw, union
from isda_seg.paper.features.classifier_inputs import IGNORED, Opened, steps
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.features.confusions import confusion
from isda_seg.paper.features.separation import Separation, separation

LARGEST = 1 << 28  # maximum entries of full covariances; larger ones become diagonal


class Spread(NamedTuple):
    """Class covariances and the margin table computed from them."""
    source: str         # description of the source
    covariance: Tensor  # (C, A), (C, A, A), or with leading dimension 1
    table: Tensor       # margin table (C, C)

    @classmethod
    def of(cls, source: str, weight: Tensor, covariance: Tensor) -> 'Spread':
        """Compute the margin table with the classifier weight (C, A)."""
        return cls(source, covariance.cpu(), margin_variance(weight, covariance).cpu())


class Pass(NamedTuple):
    """Result of one pass over a split."""
    images: int
    sample: Sample
    confusion: Tensor      # (C, C) int64, row = true class; for segmentation, over pixels of the feature grid
    moments: ClassMoments  # moments of all labelled features
    kind: str              # covariance: 'full', or 'diagonal' if full covariances are too large


class Features(NamedTuple):
    """Result of the analysis of a model."""
    name: str
    classes: list[str]
    seen: Pass
    points: np.ndarray      # t-SNE of the sample (N, 2)
    separation: Separation  # separation measures of the sample
    spreads: list[Spread]   # from the statistics in the checkpoint, if any, and from the moments of the pass


def look(name: str, opened: Opened, split: str = 'test', head: str | None = None, per_class: int = 100,
         perplexity: float = 30, seed: int = 0) -> Features:
    """Analyse the features of a split.

    Args:
        name: display name of the model.
        opened: model from ``open_checkpoint``.
        split: 'test', 'val' or 'train'.
        head: see ``pair_of``.
        per_class: maximum number of samples per class, at least 2.
        perplexity: perplexity of t-SNE.
        seed: seed of the sample and of t-SNE.

    Raises:
        ValueError: see ``steps`` and ``separation``; also ``per_class`` below 2, a negative seed, or too few samples
            for the perplexity.
    """
    if per_class < 2:
        raise ValueError(f'--per-class must be at least 2, got {per_class}')
    if seed < 0:
        raise ValueError(f'--seed must be at least 0, got {seed}')
    pair = pair_of(opened.pairs, head)
    statistics, weight = pair.loss.statistics, weight_of(pair.classifier).detach()
    seen = one_pass(opened, split, head, per_class, seed)
    samples = len(seen.sample.labels)
    if samples <= perplexity:
        raise ValueError(f'{samples} samples are too few for --perplexity {perplexity:g}. Increase --per-class '
                         f'({per_class}) or set --perplexity below {samples}.')
    apart = separation(seen.sample.features, seen.sample.labels)
    spreads = [Spread.of(f'{split} data, {seen.kind} covariances', weight, seen.moments.covariance)]
    if statistics.count.any():
        spreads.insert(0, Spread.of(f'statistics of ISDA in the checkpoint, {statistics.kind} covariances', weight,
                                    statistics.covariance))
    points = embedding(seen.sample.features, perplexity, seed)
    return Features(name, opened.classes(pair), seen, points, apart, spreads)


def one_pass(opened: Opened, split: str, head: str | None, per_class: int, seed: int) -> Pass:
    """Run one pass over a split, with memory independent of its size."""
    pair = pair_of(opened.pairs, head)
    classes, channels = pair.loss.statistics.num_classes, pair.loss.statistics.channels
    kind = 'full' if classes * channels ** 2 <= LARGEST else 'diagonal'
    images, drawn, counts, moments = 0, None, torch.zeros(classes, classes, dtype=torch.int64), None
    for step in steps(opened, split, head):
        batch = class_moments(step.features, step.labels, classes, covariance=kind, ignore_index=IGNORED)
        moments = batch if moments is None else merge(moments, batch)
        _, labels, logits = step.labelled()
        counts += confusion(labels, logits).cpu()
        sample = draw(step, images, per_class, seed)
        drawn = sample if drawn is None else union(drawn, sample, per_class)
        images += len(step.images)
    return Pass(images, drawn, counts, moments, kind)


def embedding(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Compute t-SNE (N, 2) of features (N, A), initialised with the first two principal components."""
    points: np.ndarray = TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(features)
    return points


def check_alike(found: Sequence[Features]) -> None:
    """Raise ValueError unless all models use the same samples and classes."""
    first = found[0]
    for other in found[1:]:
        if first.classes != other.classes or not np.array_equal(first.seen.sample.places, other.seen.sample.places):
            raise ValueError(f'{first.name} and {other.name} have different samples; a comparison needs the same data, '
                             'classes and feature grid. Analyse each model separately.')
