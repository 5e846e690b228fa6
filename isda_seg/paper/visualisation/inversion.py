"""Reverse mapping of Appendix E, from features to generated images.

Step I (``invert``) optimises the code of an image by its features and pixels. Step II
(``follow_targets``) continues to codes of augmented features (``augment_features``). Only the codes are optimised.
"""
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.paper.generators.generator import GeneratorAdapter, normalised_codes, sample_codes
from isda_seg.paper.visualisation.directions import sample_augmentation
from isda_seg.paper.visualisation.feature_network import FeatureAdapter
from isda_seg.runtime.isolation import frozen

MOMENTUM = 0.9  # for 'sgd'


class Schedule(NamedTuple):
    """Optimisation schedule of the codes.

    Codes are normalised before use (``normalised_codes``). Initial steps with a large learning rate increase the norm
    of a code, which reduces the rotation of later steps.
    """
    steps: int
    lr: float
    milestones: tuple[int, ...] = ()  # steps at which the learning rate is multiplied by gamma
    gamma: float = 0.1
    optimizer: str = 'sgd'            # with Nesterov momentum, or 'adam'
    weight_decay: float = 1e-4

    def rescaled(self, steps: int) -> 'Schedule':
        """Rescale the schedule to a number of steps."""
        milestones = tuple(milestone * steps // self.steps for milestone in self.milestones)
        return self._replace(steps=steps, milestones=milestones)


class Recipe(NamedTuple):
    """Schedules of both steps, and the pixel weight ``eta`` of step I."""
    first: Schedule
    second: Schedule
    eta: float

    def rescaled(self, first: int, second: int) -> 'Recipe':
        """Rescale both schedules."""
        return self._replace(first=self.first.rescaled(first), second=self.second.rescaled(second))


_SHORT = Schedule(1000, 0.1, (250, 500, 750), optimizer='adam')
RECIPES = {  # 'cifar': the paper, which reports no eta; 'imagenet': the authors' code
    'short': Recipe(_SHORT, _SHORT, 5e-3),
    'cifar': Recipe(Schedule(10_000, 10, (2500, 5000, 7500)), Schedule(10_000, 1, (2500, 5000, 7500)), 5e-3),
    'imagenet': Recipe(Schedule(12_000, 100, (3000, 6000, 9000), optimizer='adam'),
                       Schedule(8000, 0.1, (4000, 6000)), 5e-3),
}


class OptimisedCodes(NamedTuple):
    """Optimised codes of N targets."""
    z: Tensor        # (N, Z) at the smallest loss of all steps, not normalised
    best: Tensor     # (N,) that loss
    history: Tensor  # (steps, N) the loss of each step

    @property
    def codes(self) -> Tensor:
        """Normalised codes, the input of the generator."""
        return normalised_codes(self.z)


def invert(images: Tensor, labels: Tensor, generator: GeneratorAdapter, network: FeatureAdapter, eta: float,
           schedule: Schedule, restarts: int = 1, seed: int = 0) -> OptimisedCodes:
    """Step I: optimise codes whose images match the features and pixels of real images.

    Minimises ``|f(G(z)) - f(x)|^2 + eta |G(z) - x|^2``, sums over features and over preprocessed pixels.

    Args:
        images: x (N, 3, H, W) in [0, 1], RGB.
        labels: (N,); ignored by an unconditional generator.
        generator: generator G.
        network: feature network f.
        eta: weight of the pixel term.
        schedule: optimisation schedule.
        restarts: number of initial codes per image; the best result is kept.
        seed: seed of the initial codes.

    Raises:
        ValueError: no steps, no restarts, an unknown optimizer, a negative ``eta``.
    """
    if restarts < 1 or eta < 0:
        raise ValueError(f'at least one restart and an eta of at least 0 expected, got {restarts} and {eta}')
    count = len(images)
    with torch.no_grad(), frozen(network):
        pixels = network.preprocess(images)
        features = network.features(pixels).repeat(restarts, 1)
    pixels = pixels.repeat(restarts, 1, 1, 1)

    def loss(generated: Tensor) -> Tensor:
        return _sum_of_squares(network.features(generated) - features) + eta * _sum_of_squares(generated - pixels)

    first = sample_codes(restarts * count, generator.z_dim, seed).to(images.device)
    found = _optimise(first, labels.repeat(restarts), generator, network, loss, schedule)
    chosen = found.best.view(restarts, count).argmin(dim=0) * count + torch.arange(count, device=images.device)
    return OptimisedCodes(found.z[chosen], found.best[chosen], found.history[:, chosen])


def augment_features(features: Tensor, covariance: Tensor, strength: float, count: int, seed: int = 0) -> Tensor:
    """Sample ``N(a, strength * Sigma_y)`` for each of N features of one class: (N, count, A).

    ``covariance`` is Sigma_y, (A,) diagonal or (A, A); it is positive semi-definite, possibly singular.

    Raises:
        ValueError: invalid strength, a covariance of another size, or ``count`` below 1.
    """
    rows, channels = features.shape
    if count < 1:
        raise ValueError(f'count must be at least 1, got {count}')
    if tuple(covariance.shape) not in ((channels,), (channels, channels)):
        raise ValueError(f'covariance must have shape ({channels},) or ({channels}, {channels}), got '
                         f'{tuple(covariance.shape)}')
    shifts = sample_augmentation(covariance.cpu(), strength, rows * count, torch.Generator().manual_seed(seed))
    return features[:, None] + shifts.to(features).unflatten(0, (rows, count))


def follow_targets(z: Tensor, labels: Tensor, targets: Tensor, generator: GeneratorAdapter, network: FeatureAdapter,
                   schedule: Schedule) -> OptimisedCodes:
    """Step II: optimise codes whose images match the target features.

    Minimises ``|f(G(z)) - a~|^2``.

    Args:
        z: (N, Z) from ``invert``, not normalised, as in the authors' schedule.
        labels: (N,), as in ``invert``.
        targets: a~ (N, A), one per code; for K targets of an image, repeat its code K times.
        generator: generator G.
        network: feature network f.
        schedule: optimisation schedule.

    Raises:
        ValueError: different numbers of codes and targets, no steps, an unknown optimizer.
    """
    if len(z) != len(targets) or len(labels) != len(targets):
        raise ValueError(f'one code and one label per target expected, got {len(z)} codes and {len(labels)} labels '
                         f'for {len(targets)} targets')

    def loss(generated: Tensor) -> Tensor:
        return _sum_of_squares(network.features(generated) - targets)

    return _optimise(z, labels, generator, network, loss, schedule)


def _optimise(z: Tensor, labels: Tensor, generator: GeneratorAdapter, network: FeatureAdapter,
              loss: Callable[[Tensor], Tensor], schedule: Schedule) -> OptimisedCodes:
    """Minimise ``loss`` (N,) independently for each code, with one shared backward pass per step."""
    if schedule.steps < 1:
        raise ValueError(f'the optimisation needs at least one step, got {schedule.steps}. Increase --steps')
    z = z.detach().clone().requires_grad_()
    optimizer = _optimizer(z, schedule)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, schedule.milestones, schedule.gamma)
    found, best, history = z.detach().clone(), torch.full_like(z[:, 0], torch.inf, requires_grad=False), []
    with frozen(generator, network):
        for _ in range(schedule.steps):
            losses = loss(network.preprocess(generator.images(normalised_codes(z), labels)))
            better = losses.detach() < best
            found[better], best = z.detach()[better], best.minimum(losses.detach())
            history.append(losses.detach())
            optimizer.zero_grad()
            losses.sum().backward()
            optimizer.step()
            scheduler.step()
    return OptimisedCodes(found, best, torch.stack(history))


def _optimizer(z: Tensor, schedule: Schedule) -> torch.optim.Optimizer:
    if schedule.optimizer == 'sgd':
        return torch.optim.SGD([z], schedule.lr, MOMENTUM, weight_decay=schedule.weight_decay, nesterov=True)
    if schedule.optimizer == 'adam':
        return torch.optim.Adam([z], schedule.lr, weight_decay=schedule.weight_decay)
    raise ValueError(f"optimizer must be 'sgd' or 'adam', got {schedule.optimizer!r}")


def _sum_of_squares(difference: Tensor) -> Tensor:
    """Return the sum of squares of each of N items."""
    return difference.square().flatten(1).sum(dim=1)
