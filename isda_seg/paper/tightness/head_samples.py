"""Logits and labels that each ISDA loss receives for some training images, without side effects."""
import copy
import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from isda_seg.attachment.captured_inputs import weight_of
from isda_seg.classification.classifier import ImageClassifier, classify
from isda_seg.core.ops.labels import labelled
from isda_seg.openmmlab.pairs import Pair, find_pairs
from isda_seg.runtime.isolation import random_states_kept
from isda_seg.runtime.reproducible import PositionSeededDataset, seed_everything
from isda_seg.runtime.weights import network_of
from isda_seg.semi.classifier import SemiClassifier

UNLABELLED = ', unlabelled images'  # suffix for heads without labels


class HeadSamples(NamedTuple):
    """Samples or pixels of one head and the current augmentation."""
    head: str
    logits: Tensor         # (N, C)
    labels: Tensor | None  # (N,); None for unlabelled images
    weight: Tensor         # (C, A)
    covariance: Tensor     # (C, A) or (C, A, A), or leading dimension 1
    strength: float        # current strength
    lambda_0: float


def attached_pairs(model: nn.Module) -> dict[str, Pair]:
    """Return the attached ISDA losses by head name, with the attribute if a head has several."""
    pairs = [pair for pair in find_pairs(network_of(model)) if pair.loss.attached]
    names = [pair.name for pair in pairs]
    return {(pair.name or 'the model') + (f', {pair.path}' if names.count(pair.name) > 1 else ''): pair
            for pair in pairs}


@torch.no_grad()
def head_samples(model: nn.Module, loader: Any, images: int, pixels: int, seed: int) -> list[HeadSamples]:
    """Collect the inputs of the losses in training mode and full precision from a copy of the model.

    The seed determines images, their augmentation, dropout and the selected pixels. Pixels are sampled at label
    resolution, where Eq. 7 augments the logits by default. For a semi-supervised model with the unlabelled ISDA term
    (Eq. 15), unlabelled images are included. ``images`` is rounded up to whole batches; ``pixels`` is the maximum
    number of labelled pixels per image.

    Raises:
        ValueError: a head receives no labelled sample.
    """
    copied = copy.deepcopy(network_of(model)).train()
    pairs = attached_pairs(copied)
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {}
    with random_states_kept():
        seed_everything(seed)
        generator = torch.Generator().manual_seed(seed)
        for batch in fixed_batches(loader, images, seed):
            for head, (logits, labels) in _loss_inputs(copied, pairs, batch).items():
                parts.setdefault(head, []).append(_select(logits, labels, pixels, generator))
    result = []
    for head, selected in parts.items():
        pair = pairs[head.removesuffix(UNLABELLED)]
        loss: Any = pair.loss  # an ISDALoss, which has lambda_0
        logits, labels = (torch.cat(part) for part in zip(*selected, strict=True))
        if len(logits) == 0:
            raise ValueError(f'{head}: no pixel of the {images} training images has a label. Use more images')
        result.append(HeadSamples(head, logits, None if head.endswith(UNLABELLED) else labels,
                                  weight_of(pair.classifier), loss.statistics.covariance, loss.strength, loss.lambda_0))
    return result


def fixed_batches(loader: Any, images: int, seed: int) -> Iterator[Any]:
    """Yield collated batches of randomly selected training images, processed by the training pipeline.

    Args:
        loader: training dataloader; a ``TwoStreamDataset`` pairs unlabelled images with labelled ones in turn.
        images: number of images, rounded down to whole batches, at least one batch.
        seed: selects the images. The caller seeds their augmentation with ``seed_everything``.
    """
    dataset = loader.dataset.dataset if isinstance(loader.dataset, PositionSeededDataset) else loader.dataset
    size = min(getattr(loader.batch_sampler, 'batch_size', loader.batch_size), len(dataset))
    count = max(1, min(images, len(dataset)) // size) * size
    indices = np.random.default_rng(seed).permutation(len(dataset))[:count].tolist()
    labelled_indices = getattr(dataset, 'labelled_indices', None)
    if labelled_indices is not None:
        indices = [(index, int(labelled_indices[position % len(labelled_indices)]))
                   for position, index in enumerate(indices)]
    for first in range(0, count, size):
        yield loader.collate_fn([dataset[index] for index in indices[first:first + size]])


def _loss_inputs(model: Any, pairs: dict[str, Pair], batch: Any) -> dict[str, tuple[Tensor, Tensor]]:
    """Return logits (B, C, ...) and labels (B, ...) of one forward pass by head; ignored labels are -1."""
    inputs: dict[str, tuple[Tensor, Tensor]] = {}

    def keep_inputs(head: str, loss: Any, args: Any, kwargs: Any) -> None:
        logits, labels, *_ = inspect.signature(loss.forward).bind(*args, **kwargs).arguments.values()
        ignore_index = kwargs.get('ignore_index')  # heads pass it by name
        valid = labelled(labels, loss.ignore_index if ignore_index is None else ignore_index)
        inputs.setdefault(head, (logits, torch.where(valid, labels.long(), -1)))  # keep the first of repeated calls
        loss.captured.clear()  # with several classifiers, the next call verifies the next classifier

    handles = [pair.loss.register_forward_pre_hook(partial(keep_inputs, head), with_kwargs=True)
               for head, pair in pairs.items()]
    data = model.data_preprocessor(batch, True)
    if isinstance(model, SemiClassifier):  # without the method, which would update its state
        ImageClassifier.forward(model, data['inputs'], data['labels'], 'loss')
        if model.eta_1 > 0:
            logits = classify(data['unlabelled']['views'][0], model.backbone, model.fc)
            inputs[next(iter(pairs)) + UNLABELLED] = logits, logits.argmax(dim=1)
    else:
        model._run_forward(data, mode='loss')
    for handle in handles:
        handle.remove()
    return inputs


def _select(logits: Tensor, labels: Tensor, pixels: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Select labelled logits (N, C) and labels (N,); from label maps, random labelled pixels of each image."""
    if labels.dim() == 1:
        return logits[labels >= 0], labels[labels >= 0]
    selected = []
    for image, image_labels in zip(logits.flatten(2), labels.flatten(1), strict=True):
        positions = (image_labels >= 0).nonzero().flatten()
        positions = positions[torch.randperm(len(positions), generator=generator)[:pixels].to(positions.device)]
        selected.append((image[:, positions].t(), image_labels[positions]))
    return torch.cat([image for image, _ in selected]), torch.cat([image_labels for _, image_labels in selected])
