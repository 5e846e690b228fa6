"""Reverse mapping for a class of a trained classifier."""
from typing import NamedTuple

import torch

from isda_seg.paper.features.classifier_inputs import OpenedModel
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.generators.generator import GeneratorAdapter
from isda_seg.paper.visualisation.augmentation import Augmentation, augmentation_of, covariance_of, is_empty
from isda_seg.paper.visualisation.feature_network import classifier_features
from isda_seg.paper.visualisation.inversion import Recipe
from isda_seg.paper.visualisation.reverse_mapping import ClassAugmentation, ReverseMapping, reverse_map
from isda_seg.paper.visualisation.training_images import training_images


class ReverseOptions(NamedTuple):
    """Options of the reverse mapping."""
    name: str                      # class name
    images: int = 4                # N, number of training images
    samples: int = 5               # K, samples of the augmentation per image
    strength: float | None = None  # None: lambda_0 of the loss, or the authors'
    restarts: int = 4
    seed: int = 0


class ReversedClass(NamedTuple):
    """Result of ``reverse_class``."""
    found: ReverseMapping
    chosen: list[int]            # indices of the images among those of the class
    augmentation: Augmentation


def reverse_class(opened: OpenedModel, generator: GeneratorAdapter, options: ReverseOptions,
                  recipe: Recipe) -> ReversedClass:
    """Apply the reverse mapping to randomly selected training images of a class.

    Use the covariance in the checkpoint; without ISDA statistics, compute it from the training features of the class.

    Args:
        opened: model from ``open_checkpoint``.
        generator: generator for images of the class.
        options: options of the reverse mapping.
        recipe: optimisation schedules.

    Raises:
        ValueError: not an image classifier, an unknown class, too few images, a generator for other classes or another
            image size, or a strength of 0.
    """
    data = training_images(opened.cfg, options.name)
    if not 1 <= options.images <= len(data.images):
        raise ValueError(f'class {options.name!r} has {len(data.images)} training images, but --images is '
                         f'{options.images}. Set --images between 1 and {len(data.images)}')
    if generator.num_classes not in (None, len(data.classes)):
        raise ValueError(f'the generator has {generator.num_classes} classes, but the data has {len(data.classes)}. '
                         'Use a generator trained on this data')
    side = data.images.shape[-1]
    if generator.num_classes is None and generator.resolution != side:  # BigGAN's images are resized
        raise ValueError(f'the generator returns images of {generator.resolution} x {generator.resolution} pixels, but '
                         f'the images of the config have {side} x {side}. Use a generator trained on this data')
    network = classifier_features(opened.model, side)
    device = network.mean.device
    loss = pair_of(opened.pairs, None).loss
    moments = network.moments(data.images.to(device)) if is_empty(loss) else None
    augmentation = augmentation_of(loss, moments, 'train', options.strength)
    covariance = covariance_of(augmentation.moments, data.classes.index(options.name))
    chosen = torch.randperm(len(data.images), generator=torch.Generator().manual_seed(options.seed))[:options.images]
    images, labels = (data.images[chosen] / 255).to(device), data.labels[chosen].to(device)
    found = reverse_map(images, labels, generator.to(device), network,
                        ClassAugmentation(covariance, augmentation.strength, options.samples), recipe,
                        options.restarts, options.seed)
    return ReversedClass(found, chosen.tolist(), augmentation)
