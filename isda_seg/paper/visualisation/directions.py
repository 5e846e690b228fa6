"""Translations of a feature: samples of the augmentation, leading directions, and random directions as control.

Standard deviations are those of the augmentation ``N(0, strength Sigma_y)``: ``sqrt(strength v^T Sigma_y v)`` along a
unit vector v.
"""
from typing import NamedTuple

import torch
from torch import Tensor

from isda_seg.core.sampling import square_root
from isda_seg.core.schedule import check_strength

DEVIATIONS = 2.0  # length of the steps along leading directions
# Kinds of translations, keys of result files.
UNCHANGED, SAMPLED, LEADING = 'unmoved', 'drawn', 'along leading directions'
RANDOM_SAMPLED, RANDOM_LEADING = 'random, as long as drawn', 'random, as long as along leading directions'


class Translation(NamedTuple):
    """Translation of a feature."""
    kind: str      # one of the kinds above
    name: str      # label of the row in the figure
    shift: Tensor  # (A,)


def translations(covariance: Tensor, strength: float, num_samples: int, num_directions: int,
                 generator: torch.Generator) -> list[Translation]:
    """Return translations of a feature: by 0, by samples of the augmentation, along leading and random directions.

    ``covariance`` is Sigma_y, (A,) diagonal or (A, A). Leading directions are taken with both signs. Each sample and
    each leading direction has a random direction of equal length.
    """
    samples = sample_augmentation(covariance, strength, num_samples, generator)
    steps = DEVIATIONS * leading_directions(covariance, strength, num_directions)
    found = [Translation(UNCHANGED, 'not moved', covariance.new_zeros(len(covariance)))]
    found += [Translation(SAMPLED, f'sample {i} of the augmentation', shift) for i, shift in enumerate(samples, 1)]
    found += [Translation(RANDOM_SAMPLED, f'random, as long as sample {i}', shift)
              for i, shift in enumerate(random_directions(samples.norm(dim=1), len(covariance), generator), 1)]
    for i, step in enumerate(steps, 1):
        found += [Translation(LEADING, f'direction {i}, {sign}{DEVIATIONS:g} deviations', shift)
                  for sign, shift in (('+', step), ('\N{MINUS SIGN}', -step))]
    found += [Translation(RANDOM_LEADING, f'random, as long as direction {i}', shift)
              for i, shift in enumerate(random_directions(steps.norm(dim=1), len(covariance), generator), 1)]
    return found


def sample_augmentation(covariance: Tensor, strength: float, count: int, generator: torch.Generator) -> Tensor:
    """Sample N(0, strength Sigma_y), the augmentation of Eq. 5: (count, A).

    ``covariance`` is Sigma_y, (A,) or (A, A); it is positive semi-definite, possibly singular.

    Raises:
        ValueError: invalid strength.
    """
    noise = torch.randn(count, len(covariance), dtype=covariance.dtype, generator=generator)
    root = check_strength(strength) ** 0.5 * square_root(covariance[None])[0]
    return noise * root if covariance.dim() == 1 else noise @ root.t()


def leading_directions(covariance: Tensor, strength: float, count: int) -> Tensor:
    """Return one standard deviation along each leading eigenvector of Sigma_y: (count, A).

    Directions are in descending order of variance, with a positive largest component.

    Raises:
        ValueError: invalid strength, or more directions than channels.
    """
    if not 0 <= count <= len(covariance):
        raise ValueError(f'at most {len(covariance)} directions exist for {len(covariance)} channels, got {count}')
    scale = check_strength(strength) ** 0.5
    if covariance.dim() == 1:
        order = covariance.argsort(descending=True, stable=True)[:count]
        return scale * torch.diag(covariance.clamp(min=0).sqrt())[order]
    values, vectors = torch.linalg.eigh(covariance)  # ascending, vectors as columns
    steps = (scale * vectors * values.clamp(min=0).sqrt()).t().flip(0)[:count]
    return steps * steps.gather(1, steps.abs().argmax(dim=1, keepdim=True)).sign()


def random_directions(lengths: Tensor, channels: int, generator: torch.Generator) -> Tensor:
    """Sample vectors (n, A) of given lengths (n,), uniform on the sphere."""
    noise = torch.randn(len(lengths), channels, dtype=lengths.dtype, generator=generator)
    return lengths[:, None] * torch.nn.functional.normalize(noise, dim=1)
