"""Multiply-adds of a network, of ISDA by the paper's formula, and of this implementation of ISDA.

The unit is one multiply-add per sample of the forward pass, as in Tables 1 and 3. Notation: C classes, A feature
channels, N samples in the batch (B in the paper), U classes present in the batch.
"""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from isda_seg.runtime.isolation import evaluating

UPDATE = 3  # multiply-adds per element when a covariance is merged into the running one (Eq. 2)


class Extra(NamedTuple):
    """Multiply-adds per sample that ISDA adds to the forward pass."""
    statistics: float
    table: float
    addition: float

    @property
    def total(self) -> float:
        """Return the sum of all parts."""
        return sum(self)


def multiply_adds(model: nn.Module, shape: Sequence[int] = (3, 32, 32)) -> int:
    """Count multiply-adds of convolutions and linear layers for one input. The model may be on the meta device.

    PyTorch's counter covers exactly these layers; MMEngine's also counts normalisation and pooling, unlike Table 3.
    """
    with evaluating(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(next(model.parameters()).new_zeros(1, *shape))
    return counter.get_total_flops() // 2  # PyTorch counts a multiply-add as two operations


def paper_extra(classes: int, channels: int, batch: int, covariance: str = 'full') -> float:
    """Return the paper's count: ``C A^2 + A^2 + 3 C A^2 / B + 2 C A`` full, ``3 C A + 2 C A + 3 C A / B`` diagonal.

    Reproduces the "theoretical" columns of Table 3 (full) and of Table 1 (diagonal), except for the DenseNets.

    Raises:
        ValueError: unknown covariance.
    """
    size = classes * channels
    if _is_full(covariance):
        return size * channels + channels ** 2 + UPDATE * size * channels / batch + 2 * size
    return 3 * size + 2 * size + UPDATE * size / batch


def implementation_extra(classes: int, channels: int, batch: int, covariance: str = 'full',
                         present: float | None = None) -> Extra:
    """Count the multiply-adds of ``isda_seg.core``.

    With full covariances, a row of the margin table is computed once per class present; with diagonal covariances, once
    per sample or once per class, whichever is cheaper.

    Args:
        classes: C.
        channels: A.
        batch: N.
        covariance: 'full' or 'diagonal'.
        present: U; by default its expected value for uniformly distributed labels.

    Raises:
        ValueError: unknown covariance.
    """
    present = expected_present(classes, batch) if present is None else present
    size = classes * channels
    if _is_full(covariance):
        statistics = 2 * channels + channels ** 2 + (1 + UPDATE) * present * channels ** 2 / batch
        return Extra(statistics, present * (size * channels + size) / batch, classes)
    rows = min(batch, classes)
    table = 2 * rows * size + size + 2 * rows * channels
    return Extra(3 * size + UPDATE * size / batch, table / batch, classes)


def expected_present(classes: int, batch: int) -> float:
    """Return the expected number of distinct classes in a batch of uniformly distributed labels."""
    return classes * (1 - (1 - 1 / classes) ** batch)


def _is_full(covariance: str) -> bool:
    if covariance not in ('full', 'diagonal'):
        raise ValueError(f"Unknown covariance {covariance!r}. Choose 'full' or 'diagonal'")
    return covariance == 'full'
