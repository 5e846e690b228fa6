"""Reverse mapping for a class of a trained classifier, its report and the columns of its figures."""
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.paper.features.classifier_inputs import OpenedModel
from isda_seg.paper.features.classifier_pairs import pair_of
from isda_seg.paper.generators.generator import GeneratorAdapter, normalised_codes, sample_codes
from isda_seg.paper.visualisation.augmentation import Augmentation, augmentation_of, covariance_of, is_empty
from isda_seg.paper.visualisation.feature_network import FeatureAdapter, classifier_features
from isda_seg.paper.visualisation.inversion import OptimisedCodes, Recipe, augment_features, follow_targets, invert
from isda_seg.paper.visualisation.neighbours import NearestImages
from isda_seg.paper.visualisation.reverse_figure import Column
from isda_seg.paper.visualisation.training_images import training_images
from isda_seg.runtime.isolation import frozen

SHOWN = 2  # samples per image in the nearest-neighbour figure


class ClassAugmentation(NamedTuple):
    """Augmentation of the features of a class."""
    covariance: Tensor   # Sigma_y of the class, (A,) or (A, A)
    strength: float      # lambda
    samples: int         # K, samples per image


class ReverseMapping(NamedTuple):
    """Result of the reverse mapping of N images with K samples each: RGB images in [0, 1] and optimisation records."""
    initial: Tensor         # (N, 3, H, W)
    reconstruction: Tensor  # (N, 3, h, w)
    augmented: Tensor       # (N, K, 3, h, w)
    random: Tensor          # (N, K, 3, h, w), generated from codes from N(0, 1)
    first: OptimisedCodes   # step I, N codes
    second: OptimisedCodes  # step II, N K codes, ordered by image
    moved: Tensor           # (N, K) squared distance from the feature of the image to the target

    def report(self) -> dict[str, Any]:
        """Return median losses as JSON values.

        'step_1' and 'step_2' hold the initial and the smallest loss. 'moved' is the squared norm of the augmentation,
        the reference for the loss of step II.
        """
        losses = {name: dict(start=mapped.history[0].median().item(), best=mapped.best.median().item())
                  for name, mapped in (('step_1', self.first), ('step_2', self.second))}
        return dict(losses, moved=self.moved.median().item())


def reverse_map(images: Tensor, labels: Tensor, generator: GeneratorAdapter, network: FeatureAdapter,
                augmentation: ClassAugmentation, recipe: Recipe, restarts: int = 1, seed: int = 0) -> ReverseMapping:
    """Run step I for N images of one class and step II for K samples of each feature, and generate N K random images.

    Images, labels, networks and ``restarts`` are as in ``invert``; ``seed`` also determines the samples.

    Raises:
        ValueError: see ``invert``, ``augment_features`` and ``follow_targets``.
    """
    with torch.no_grad(), frozen(network):
        features = network(images)
    targets = augment_features(features, augmentation.covariance, augmentation.strength, augmentation.samples, seed)
    first = invert(images, labels, generator, network, recipe.eta, recipe.first, restarts, seed)
    starts, repeated = (part.repeat_interleave(augmentation.samples, dim=0) for part in (first.z, labels))
    second = follow_targets(starts, repeated, targets.flatten(0, 1), generator, network, recipe.second)
    random = normalised_codes(sample_codes(len(repeated), generator.z_dim, seed + 1)).to(starts)
    with torch.no_grad(), frozen(generator):
        shown = [generator.images(codes, y) for codes, y in
                 ((first.codes, labels), (second.codes, repeated), (random, repeated))]
    augmented, random_images = (part.unflatten(0, (len(images), augmentation.samples)) for part in shown[1:])
    moved = (targets - features[:, None]).square().sum(dim=2)
    return ReverseMapping(images, shown[0], augmented, random_images, first, second, moved)


def grid_columns(found: ReverseMapping) -> list[Column]:
    """Return the columns of Figs. 6, 7 and 13."""
    return [Column('initial', found.initial[:, None]), Column('reconstruction', found.reconstruction[:, None]),
            Column('augmented', found.augmented), Column('random', found.random)]


def nearest_columns(found: ReverseMapping, batches: Iterable[dict[str, Tensor]], count: int) -> list[Column]:
    """Return the columns of Fig. 14 for two samples per image; see ``nearest_in_pixels`` for the arguments."""
    shown = found.augmented[:, :SHOWN].flatten(0, 1)
    nearest = nearest_in_pixels(shown, batches, count)
    return [Column('augmented', shown[:, None]), Column('nearest training images', nearest)]


def nearest_in_pixels(queries: Tensor, batches: Iterable[dict[str, Tensor]], count: int) -> Tensor:
    """Return the nearest images of a stream for each of Q images, sorted: (Q, count, 3, H, W) in [0, 1], RGB.

    Distances are Euclidean over pixels in [0, 1] at the size of the stream's images. One pass; memory holds only the
    current nearest images.

    Args:
        queries: (Q, 3, h, w) in [0, 1], RGB; resized to the size of the stream's images.
        batches: dicts of ``inputs`` (B, 3, H, W) uint8, BGR, and ``labels`` (B,), as from ``split_loader``.
        count: number of nearest images per query.

    Raises:
        ValueError: ``count`` < 1, or more than the stream has images.
    """
    nearest: NearestImages | None = None
    kept: dict[int, Tensor] = {}
    for batch in batches:
        images = batch['inputs'].flip(1)
        if nearest is None:
            resized = F.interpolate(queries.cpu(), images.shape[2:], mode='bilinear', antialias=True)
            nearest = NearestImages(resized.flatten(1), torch.full((len(queries),), -1), count)
        first = nearest.seen
        nearest.add(images.flatten(1) / 255, batch['labels'])
        needed = set(nearest.found.image.flatten().tolist())
        kept = {index: image for index, image in kept.items() if index in needed}
        kept.update({index: images[index - first] for index in needed if index >= first})
    if nearest is None or nearest.seen < count:
        raise ValueError(f'requested {count} nearest images, but the training data has only '
                         f'{0 if nearest is None else nearest.seen}. Set a smaller --neighbours')
    return torch.stack([torch.stack([kept[index] for index in row]) for row in nearest.found.image.tolist()]) / 255


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
