"""Analysis of deep features: t-SNE (Fig. 8), covariances and margin tables."""
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from sklearn.manifold import TSNE
from torch import Tensor

from isda_seg.attachment.captured_inputs import weight_of
from isda_seg.core import ClassMoments, class_moments, margin_variance, merge
from isda_seg.paper.features.class_sample import Sample, merge_samples, sample_batch
from isda_seg.paper.features.classifier_inputs import IGNORED, OpenedModel, batches
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.features.confusions import confusion
from isda_seg.paper.features.separation import Separation, separation

LARGEST = 1 << 28  # maximum entries of full covariances; larger ones become diagonal


class Covariances(NamedTuple):
    """Class covariances and the margin table computed from them."""
    source: str         # description of the source
    covariance: Tensor  # (C, A), (C, A, A), or with leading dimension 1
    table: Tensor       # margin table (C, C)

    @classmethod
    def with_table(cls, source: str, weight: Tensor, covariance: Tensor) -> 'Covariances':
        """Compute the margin table with the classifier weight (C, A)."""
        return cls(source, covariance.cpu(), margin_variance(weight, covariance).cpu())


class SplitSummary(NamedTuple):
    """Result of one pass over a split."""
    images: int            # number of images
    sample: Sample
    confusion: Tensor      # (C, C) int64, row = true class; for segmentation, over pixels of the feature grid
    moments: ClassMoments  # moments of all labelled features
    kind: str              # covariance: 'full', or 'diagonal' if full covariances are too large


class Features(NamedTuple):
    """Result of the analysis of a model."""
    name: str
    classes: list[str]
    split: SplitSummary
    points: np.ndarray              # t-SNE of the sample (N, 2)
    separation: Separation          # separation measures of the sample
    covariances: list[Covariances]  # from the statistics in the checkpoint, if any, and from the moments of the split


def analyse(name: str, opened: OpenedModel, split: str = 'test', head: str | None = None, per_class: int = 100,
            perplexity: float = 30, seed: int = 0) -> Features:
    """Analyse the features of a split.

    ``head`` is as in ``pair_of``; the sample has at most ``per_class`` features of each class.

    Raises:
        ValueError: see ``batches`` and ``separation``; also ``per_class`` below 2, a negative seed, or too few samples
            for the perplexity.
    """
    if per_class < 2:
        raise ValueError(f'--per-class must be at least 2, got {per_class}')
    if seed < 0:
        raise ValueError(f'--seed must be at least 0, got {seed}')
    pair = pair_of(opened.pairs, head)
    statistics, weight = pair.loss.statistics, weight_of(pair.classifier).detach()
    summary = summarise_split(opened, split, head, per_class, seed)
    features, labels = summary.sample.features, summary.sample.labels
    if len(labels) <= perplexity:
        raise ValueError(f'{len(labels)} samples are too few for --perplexity {perplexity:g}. Increase --per-class '
                         f'({per_class}) or set --perplexity below {len(labels)}')
    measures = separation(features, labels)
    covariances = [Covariances.with_table(f'{split} data, {summary.kind} covariances', weight,
                                          summary.moments.covariance)]
    if statistics.count.any():
        covariances.insert(0, Covariances.with_table(
            f'statistics of ISDA in the checkpoint, {statistics.kind} covariances', weight, statistics.covariance))
    return Features(name, opened.classes(pair), summary, embedding(features, perplexity, seed), measures, covariances)


def summarise_split(opened: OpenedModel, split: str, head: str | None, per_class: int, seed: int) -> SplitSummary:
    """Run one pass over a split, with memory independent of its size; arguments as in ``analyse``."""
    statistics = pair_of(opened.pairs, head).loss.statistics
    classes, channels = statistics.num_classes, statistics.channels
    kind = 'full' if classes * channels ** 2 <= LARGEST else 'diagonal'
    images, counts = 0, torch.zeros(classes, classes, dtype=torch.int64)
    samples: list[Sample] = []
    moments: list[ClassMoments] = []
    for batch in batches(opened, split, head):
        new = class_moments(batch.features, batch.labels, classes, covariance=kind, ignore_index=IGNORED)
        moments = [merge(moments[0], new) if moments else new]
        _, labels, logits = batch.labelled()
        counts += confusion(labels, logits).cpu()
        sample = sample_batch(batch, images, per_class, seed)
        samples = [merge_samples(samples[0], sample, per_class) if samples else sample]
        images += len(batch.images)
    return SplitSummary(images, samples[0], counts, moments[0], kind)


def embedding(features: np.ndarray, perplexity: float, seed: int) -> np.ndarray:
    """Compute t-SNE (N, 2) of features (N, A), initialised with the first two principal components."""
    points: np.ndarray = TSNE(perplexity=perplexity, init='pca', random_state=seed).fit_transform(features)
    return points


def check_same_data(models: Sequence[Features]) -> None:
    """Raise ValueError unless all models use the same samples and classes."""
    first, *others = models
    for other in others:
        positions = first.split.sample.positions, other.split.sample.positions
        if first.classes != other.classes or not np.array_equal(*positions):
            raise ValueError(f'{first.name} and {other.name} differ in their classes or in the positions of their '
                             'samples; a comparison needs the same data, classes and feature grid. Analyse each model '
                             'separately')
