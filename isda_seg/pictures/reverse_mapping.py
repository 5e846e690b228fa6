"""Both steps of the reverse mapping for some images of a class, and what they found as columns of a picture."""
from typing import Any, NamedTuple

import torch
from torch import Tensor

from isda_seg.pictures.augment import augment
from isda_seg.pictures.feature_network import FeatureAdapter
from isda_seg.pictures.generator import GeneratorAdapter, draw_codes, normalized_codes
from isda_seg.pictures.inversion import Mapped, Recipe, invert, walk
from isda_seg.pictures.reverse_figure import Column


class Reversed(NamedTuple):
    """Images in [0, 1], RGB, of N real ones with K draws of each."""
    initial: Tensor         # (N, 3, H, W)
    reconstruction: Tensor  # (N, 3, H, W)
    augmented: Tensor       # (N, K, 3, H, W)
    random: Tensor          # (N, K, 3, H, W) of codes from N(0, 1)
    first: Mapped           # of N
    second: Mapped          # of N K, image by image
    moved: Tensor           # (N, K) squared distance of each target from the feature of its image

    def report(self) -> dict[str, Any]:
        """What the descents reached, as JSON values, medians over the images or draws.

        'step_1' and 'step_2' hold the losses at the first step and the smallest ones; 'moved' is the squared distance
        by which a draw moves a feature, which the loss of step II is to be compared with.
        """
        return dict(step_1=_losses(self.first), step_2=_losses(self.second), moved=float(self.moved.median()))

    def summary(self) -> str:
        """The same in one sentence per step."""
        found = self.report()
        return '\n'.join((
            'step I: loss from {start:.4g} to {best:.4g}'.format(**found['step_1']),
            'step II: loss from {start:.4g} to {best:.4g}'.format(**found['step_2'])
            + f', where the draws move the features by {found["moved"]:.4g}'))


def reverse_map(images: Tensor, labels: Tensor, covariance: Tensor, generator: GeneratorAdapter,
                network: FeatureAdapter, recipe: Recipe, strength: float, count: int, restarts: int = 1,
                seed: int = 0) -> Reversed:
    """Step I for N images of one class, step II for ``count`` draws of each feature, and as many random images.

    Args:
        images: (N, 3, H, W) uint8, RGB.
        labels: (N,).
        covariance: Sigma_y of the class's features, (A,) or (A, A).
        strength: lambda of the draws.
        restarts, seed: as in ``invert``.
    """
    real = images / 255
    with torch.no_grad():
        network.eval()
        features = network(real)
    targets = augment(features, covariance, strength, count, seed)
    first = invert(real, labels, generator, network, recipe.eta, recipe.first, restarts, seed)
    repeated = labels.repeat_interleave(count)
    second = walk(first.z.repeat_interleave(count, dim=0), repeated, targets.flatten(0, 1), generator, network,
                  recipe.second)
    random = normalized_codes(draw_codes(len(repeated), generator.z_dim, seed + 1))
    with torch.no_grad():
        generator.eval()
        shown = [generator.images(z, y) for z, y in ((first.z, labels), (second.z, repeated), (random, repeated))]
    moved = (targets - features[:, None]).square().sum(dim=2)
    rows = (len(real), count)
    return Reversed(real, shown[0], *(part.unflatten(0, rows) for part in shown[1:]), first, second, moved)


def columns(found: Reversed) -> list[Column]:
    """As in Figs. 6, 7 and 13."""
    return [Column('initial', found.initial[:, None]), Column('reconstruction', found.reconstruction[:, None]),
            Column('augmented', found.augmented), Column('random', found.random)]


def _losses(mapped: Mapped) -> dict[str, float]:
    return dict(start=float(mapped.history[0].median()), best=float(mapped.best.median()))
