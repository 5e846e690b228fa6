"""Reverse mapping of images of a class, its report and the columns of its figures."""
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isda_seg.paper.generators.generator import GeneratorAdapter, draw_codes, normalized_codes
from isda_seg.paper.visualisation.feature_network import FeatureAdapter
from isda_seg.paper.visualisation.inversion import Mapped, Recipe, augment, invert, walk
from isda_seg.paper.visualisation.nearest_pixels import nearest_in_pixels
from isda_seg.paper.visualisation.reverse_figure import Column
from isda_seg.runtime.isolation import frozen

SHOWN = 2  # samples per image in the nearest-neighbour figure


class Draws(NamedTuple):
    """Augmentation of the features of a class."""
    covariance: Tensor   # Sigma_y of the class, (A,) or (A, A)
    strength: float      # lambda
    count: int           # K, samples per image


class Reversed(NamedTuple):
    """Result of the reverse mapping of N images with K samples each: RGB images in [0, 1] and optimisation records."""
    initial: Tensor         # (N, 3, H, W)
    reconstruction: Tensor  # (N, 3, h, w)
    augmented: Tensor       # (N, K, 3, h, w)
    random: Tensor          # (N, K, 3, h, w), generated from codes from N(0, 1)
    first: Mapped           # step I, N codes
    second: Mapped          # step II, N K codes, ordered by image
    moved: Tensor           # (N, K) squared distance from the feature of the image to the target

    def report(self) -> dict[str, Any]:
        """Return median losses as JSON values.

        'step_1' and 'step_2' hold the initial and the smallest loss. 'moved' is the squared norm of the augmentation,
        the reference for the loss of step II.
        """
        losses = {name: dict(start=mapped.history[0].median().item(), best=mapped.best.median().item())
                  for name, mapped in (('step_1', self.first), ('step_2', self.second))}
        return dict(losses, moved=self.moved.median().item())


def reverse_map(images: Tensor, labels: Tensor, generator: GeneratorAdapter, network: FeatureAdapter, draws: Draws,
                recipe: Recipe, restarts: int = 1, seed: int = 0) -> Reversed:
    """Run step I for N images of one class and step II for K samples of each feature, and generate N K random images.

    Args:
        images: (N, 3, H, W) in [0, 1], RGB, on the device of the networks.
        labels: (N,).
        generator: generator G.
        network: feature network f.
        draws: augmentation of the class.
        recipe: optimisation schedules.
        restarts: number of initial codes per image.
        seed: seed of the initial codes and the samples.

    Raises:
        ValueError: see ``invert``, ``augment`` and ``walk``.
    """
    with torch.no_grad(), frozen(network):
        features = network(images)
    targets = augment(features, draws.covariance, draws.strength, draws.count, seed)
    first = invert(images, labels, generator, network, recipe.eta, recipe.first, restarts, seed)
    starts, repeated = (part.repeat_interleave(draws.count, dim=0) for part in (first.z, labels))
    second = walk(starts, repeated, targets.flatten(0, 1), generator, network, recipe.second)
    random = normalized_codes(draw_codes(len(repeated), generator.z_dim, seed + 1)).to(starts)
    with torch.no_grad(), frozen(generator):
        shown = [generator.images(codes, y) for codes, y in
                 ((first.codes, labels), (second.codes, repeated), (random, repeated))]
    augmented, drawn = (part.unflatten(0, (len(images), draws.count)) for part in shown[1:])
    moved = (targets - features[:, None]).square().sum(dim=2)
    return Reversed(images, shown[0], augmented, drawn, first, second, moved)


def grid_columns(found: Reversed) -> list[Column]:
    """Return the columns of Figs. 6, 7 and 13."""
    return [Column('initial', found.initial[:, None]), Column('reconstruction', found.reconstruction[:, None]),
            Column('augmented', found.augmented), Column('random', found.random)]


def nearest_columns(found: Reversed, batches: Iterable[dict], count: int) -> list[Column]:
    """Return the columns of Fig. 14 for two samples per image; see ``nearest_in_pixels`` for the arguments."""
    shown = found.augmented[:, :SHOWN].flatten(0, 1)
    nearest = nearest_in_pixels(shown, batches, count)
    return [Column('augmented', shown[:, None]), Column('nearest training images', nearest)]
