"""Nearest images of translated features, computed in two passes over a split with O(Q k) memory."""
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isda_seg.core.schedule import check_strength
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.features.classifier_inputs import IGNORED, Step
from isda_seg.paper.visualisation.augmentation import Augmentation, augmentation_of, covariance_of, fold_step, is_empty
from isda_seg.paper.visualisation.directions import UNMOVED, Move, moves
from isda_seg.paper.visualisation.neighbours import NearestImages, Neighbours
from isda_seg.paper.visualisation.patches import Patch, patch_of
from isda_seg.paper.visualisation.queries import Query, QuerySample
from isda_seg.paper.visualisation.shares import Row

Place = tuple[int, int]  # index of an image in a split, index of a sample in the image


class Wanted(NamedTuple):
    """Options of the visualisation."""
    classes: Sequence[str] = ()    # names; empty: all classes with samples
    queries: int = 20              # query features per class, from distinct images
    shown: int = 2                 # number of queries in the figure
    draws: int = 2
    directions: int = 2
    neighbours: int = 5
    apart: int = 0                 # excluded images before and after the query's image
    strength: float | None = None  # None: lambda_0 of the loss, or the authors'
    seed: int = 0
    required: bool = True          # raise for a named class without samples; False skips it


class Looked(NamedTuple):
    """Result of ``look``."""
    rows: dict[str, list[list[Row]]]  # class -> query -> translations, the identity first
    patches: dict[Place, Patch]       # of the shown queries and their neighbours
    sources: list[Any]                # path of every image of the split, or its position
    names: list[str]                  # of all classes
    augmentation: Augmentation
    wanted: Wanted


class Moved(NamedTuple):
    """Query and its translation."""
    query: Query
    move: Move
    shown: bool


def look(stream: Callable[[], Iterable[Step]], loss: ISDACriterion, names: Sequence[str], wanted: Wanted,
         split: str) -> Looked:
    """Translate features of some classes and find the images of a split with the nearest features.

    Args:
        stream: starts a pass over the split, as ``classifier_inputs.steps``; called twice.
        loss: loss of the classifier, with its statistics.
        names: names of the C classes.
        wanted: options.
        split: name of the split, for messages.

    Raises:
        ValueError: a class is unknown or has no samples in the split or the statistics; the strength is not positive;
            an option is below 1.
    """
    labels = labels_of(wanted.classes, names)
    check_wanted(wanted)
    sample, moments, empty = QuerySample(labels, len(names), wanted.queries, wanted.seed), None, is_empty(loss)
    for step in stream():
        sample.observe(step.features, step.labels, step.logits)
        moments = fold_step(moments, step, len(names)) if empty else None
    augmentation = augmentation_of(loss, moments, split, wanted.strength)
    queries = {label: sample.of(label) for label in labels}
    for label in labels if wanted.classes and wanted.required else ():
        _require_samples(names[label], len(queries[label]), int(augmentation.moments.count[label]), split)
    moved = list(_moved(queries, augmentation, wanted, len(names)))
    if not moved:
        return Looked({}, {}, [], list(names), augmentation, wanted)
    found, patches, sources = _arrive(moved, stream(), loss.align_corners, wanted)
    rows: dict[str, list[list[Row]]] = {}
    for number, (query, move, _) in enumerate(moved):
        of_class = rows.setdefault(names[query.label], [])
        if move.kind == UNMOVED:
            of_class.append([])
        there = found.distance[number].isfinite()
        of_class[-1].append(Row(query, move, Neighbours(*(field[number][there].cpu() for field in found))))
    return Looked(rows, patches, sources, list(names), augmentation, wanted)


def check_wanted(wanted: Wanted) -> None:
    """Raise ValueError for counts below 1, a negative ``apart`` or a negative strength."""
    for name in ('queries', 'shown', 'draws', 'neighbours'):
        if getattr(wanted, name) < 1:
            raise ValueError(f'the number of {name} must be at least 1, got {getattr(wanted, name)}')
    if wanted.apart < 0:
        raise ValueError(f'apart must be 0 or more, got {wanted.apart}')
    check_strength(wanted.strength or 0)


def labels_of(classes: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the labels of the named classes, by default all.

    Raises:
        ValueError: unknown class.
    """
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise ValueError(f'unknown class {unknown[0]!r}. Choose from {", ".join(names)}.')
    return [names.index(name) for name in classes or names]


def _require_samples(name: str, in_split: int, in_statistics: int, split: str) -> None:
    if not in_split:
        raise ValueError(f'the {split} split contains no sample of the class {name!r}. Choose another class or '
                         '--split.')
    if not in_statistics:
        raise ValueError(f'the statistics of the checkpoint contain no sample of the class {name!r}, so it has no '
                         'covariance. Choose another class.')


def _moved(queries: dict[int, list[Query]], augmentation: Augmentation, wanted: Wanted,
           num_classes: int) -> Iterator[Moved]:
    """Yield every translation of every query, independent of the other selected classes."""
    for label, own in queries.items():
        if not augmentation.moments.count[label]:
            continue
        covariance = covariance_of(augmentation.moments, label).cpu()
        generator = torch.Generator().manual_seed(wanted.seed * num_classes + label)
        for number, query in enumerate(own):
            for move in moves(covariance, augmentation.strength, wanted.draws, wanted.directions, generator):
                yield Moved(query, move, number < wanted.shown)


def _arrive(moved: Sequence[Moved], stream: Iterable[Step], align_corners: bool,
            wanted: Wanted) -> tuple[Neighbours, dict[Place, Patch], list[Any]]:
    """Find the neighbours of all translated features, the patches to show and the sources of all images."""
    queries = torch.stack([query.feature + move.shift.to(query.feature) for query, move, _ in moved])
    own = torch.tensor([query.image for query, _, _ in moved], device=queries.device)
    nearest = NearestImages(queries, own, wanted.neighbours, wanted.apart)
    shown = torch.tensor([one.shown for one in moved], device=queries.device)
    starts = {(one.query.image, one.query.sample) for one in moved if one.shown}
    patches: dict[Place, Patch] = {}
    sources: list[Any] = []
    for step in stream:
        first = nearest.seen
        nearest.observe(step.features, step.labels, IGNORED)
        sources += step.sources
        images, samples = (field[shown].flatten().tolist() for field in (nearest.found.image, nearest.found.sample))
        needed = starts | set(zip(images, samples, strict=True))
        patches = {place: patch for place, patch in patches.items() if place in needed}
        for image, sample in needed - set(patches):
            if first <= image < nearest.seen:
                patches[image, sample] = patch_of(_picture(step.images[image - first]), step.features.shape[2:], sample,
                                                  align_corners)
    return nearest.found, patches, sources


def _picture(image: Tensor) -> np.ndarray:
    """Convert (3, H, W) in 0..255 to (H, W, 3) uint8."""
    return image.movedim(0, 2).cpu().numpy().astype(np.uint8)
