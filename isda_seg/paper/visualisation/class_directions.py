"""Nearest images of translated features, computed in two passes over a split with O(Q k) memory."""
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from isda_seg.core.schedule import check_strength
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.features.classifier_inputs import IGNORED, Batch
from isda_seg.paper.visualisation.augmentation import (
    Augmentation,
    augmentation_of,
    covariance_of,
    is_empty,
    merge_batch,
)
from isda_seg.paper.visualisation.directions import UNCHANGED, Translation, translations
from isda_seg.paper.visualisation.neighbours import NearestImages, Neighbours
from isda_seg.paper.visualisation.patches import Patch, patch_of
from isda_seg.paper.visualisation.queries import Query, QuerySample
from isda_seg.paper.visualisation.shares import Row

Position = tuple[int, int]  # index of an image in a split, index of a sample in the image


class SearchOptions(NamedTuple):
    """Options of the visualisation."""
    classes: Sequence[str] = ()    # names; empty: all classes with samples
    queries: int = 20              # query features per class, from distinct images
    shown: int = 2                 # number of queries in the figure
    samples: int = 2               # samples of the augmentation per query
    directions: int = 2            # leading directions per query
    neighbours: int = 5
    apart: int = 0                 # excluded images before and after the query's image
    strength: float | None = None  # None: lambda_0 of the loss, or the authors'
    seed: int = 0
    required: bool = True          # raise for a named class without samples; False skips it


class SearchResult(NamedTuple):
    """Result of ``search``."""
    rows: dict[str, list[list[Row]]]  # class -> query -> translations, the identity first
    patches: dict[Position, Patch]    # of the shown queries and their neighbours
    sources: list[Any]                # path of every image of the split, or its position
    names: list[str]                  # of all classes
    augmentation: Augmentation
    options: SearchOptions


class TranslatedQuery(NamedTuple):
    """Query and its translation."""
    query: Query
    translation: Translation
    shown: bool


def search(stream: Callable[[], Iterable[Batch]], loss: ISDACriterion, names: Sequence[str], options: SearchOptions,
         split: str) -> SearchResult:
    """Translate features of some classes and find the images of a split with the nearest features.

    ``stream`` starts a pass over the split, as ``classifier_inputs.batches``, and is called twice. ``names`` are those
    of the C classes.

    Raises:
        ValueError: a class is unknown or has no samples in the split or the statistics; the strength is not positive;
            an option is below 1.
    """
    labels = labels_of_names(options.classes, names)
    check_options(options)
    sample, moments, empty = QuerySample(labels, len(names), options.queries, options.seed), None, is_empty(loss)
    for batch in stream():
        sample.add(batch.features, batch.labels, batch.logits)
        moments = merge_batch(moments, batch, len(names)) if empty else None
    augmentation = augmentation_of(loss, moments, split, options.strength)
    queries = {label: sample.of(label) for label in labels}
    for label in labels if options.classes and options.required else ():
        _require_samples(names[label], len(queries[label]), int(augmentation.moments.count[label]), split)
    translated = list(_translate(queries, augmentation, options, len(names)))
    if not translated:
        return SearchResult({}, {}, [], list(names), augmentation, options)
    found, patches, sources = _search(translated, stream(), loss.align_corners, options)
    rows: dict[str, list[list[Row]]] = {}
    for index, (query, translation, _) in enumerate(translated):
        class_rows = rows.setdefault(names[query.label], [])
        if translation.kind == UNCHANGED:
            class_rows.append([])
        finite = found.distance[index].isfinite()
        class_rows[-1].append(Row(query, translation, Neighbours(*(field[index][finite].cpu() for field in found))))
    return SearchResult(rows, patches, sources, list(names), augmentation, options)


def check_options(options: SearchOptions) -> None:
    """Raise ValueError for counts below 1, a negative ``apart`` or a negative strength."""
    for name in ('queries', 'shown', 'samples', 'neighbours'):
        if getattr(options, name) < 1:
            raise ValueError(f'the number of {name} must be at least 1, got {getattr(options, name)}')
    if options.apart < 0:
        raise ValueError(f'apart must be 0 or more, got {options.apart}')
    check_strength(options.strength or 0)


def labels_of_names(classes: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the labels of the named classes, by default all.

    Raises:
        ValueError: unknown class.
    """
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise ValueError(f'unknown class {unknown[0]!r}. Choose from {", ".join(names)}')
    return [names.index(name) for name in classes or names]


def _require_samples(name: str, in_split: int, in_statistics: int, split: str) -> None:
    if not in_split:
        raise ValueError(f'the {split} split contains no sample of the class {name!r}. Choose another class or '
                         '--split')
    if not in_statistics:
        raise ValueError(f'the statistics of the checkpoint contain no sample of the class {name!r}, so it has no '
                         'covariance. Choose another class')


def _translate(queries: dict[int, list[Query]], augmentation: Augmentation, options: SearchOptions,
               num_classes: int) -> Iterator[TranslatedQuery]:
    """Yield every translation of every query, independent of the other selected classes."""
    for label, class_queries in queries.items():
        if not augmentation.moments.count[label]:
            continue
        covariance = covariance_of(augmentation.moments, label).cpu()
        generator = torch.Generator().manual_seed(options.seed * num_classes + label)
        for index, query in enumerate(class_queries):
            for translation in translations(covariance, augmentation.strength, options.samples, options.directions,
                                            generator):
                yield TranslatedQuery(query, translation, index < options.shown)


def _search(translated: Sequence[TranslatedQuery], stream: Iterable[Batch], align_corners: bool,
            options: SearchOptions) -> tuple[Neighbours, dict[Position, Patch], list[Any]]:
    """Find the neighbours of all translated features, the patches to show and the sources of all images."""
    queries = torch.stack([query.feature + translation.shift.to(query.feature) for query, translation, _ in translated])
    query_images = torch.tensor([query.image for query, _, _ in translated], device=queries.device)
    nearest = NearestImages(queries, query_images, options.neighbours, options.apart)
    shown = torch.tensor([shown for _, _, shown in translated], device=queries.device)
    query_positions = {(query.image, query.sample) for query, _, shown in translated if shown}
    patches: dict[Position, Patch] = {}
    sources: list[Any] = []
    for batch in stream:
        first = nearest.seen
        nearest.add(batch.features, batch.labels, IGNORED)
        sources += batch.sources
        images, samples = (field[shown].flatten().tolist() for field in (nearest.found.image, nearest.found.sample))
        needed = query_positions | set(zip(images, samples, strict=True))
        patches = {position: patch for position, patch in patches.items() if position in needed}
        for image, sample in needed - set(patches):
            if first <= image < nearest.seen:
                pixels = batch.images[image - first].movedim(0, 2).cpu().numpy().astype(np.uint8)
                patches[image, sample] = patch_of(pixels, batch.features.shape[2:], sample, align_corners)
    return nearest.found, patches, sources
