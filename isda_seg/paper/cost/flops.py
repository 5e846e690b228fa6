"""What a training step costs: multiply-adds of a network, of ISDA by the paper's formula, and of ISDA as it is here.

One unit is one multiply-add per sample of the forward pass, as in Tables 1 and 3. C classes, A feature channels,
N samples in the batch (the paper's B), U of the C classes present in it.
"""
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

UPDATE = 3  # multiply-adds per element of a covariance that is folded into the running one (Eq. 2)


class Extra(NamedTuple):
    """Multiply-adds per sample that ISDA adds to the forward pass."""
    statistics: float
    table: float
    addition: float

    @property
    def total(self) -> float:
        return sum(self)


def multiply_adds(model: nn.Module, shape: Sequence[int] = (3, 32, 32)) -> int:
    """Multiply-adds of the convolutions and linear layers for one input of ``shape``, on a meta device too.

    Torch's counter sees exactly these; MMEngine's adds normalisation and pooling, which Table 3's units do not have.
    """
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            model(next(model.parameters()).new_zeros(1, *shape))
    finally:
        for module, mode in training:
            module.training = mode
    return counter.get_total_flops() // 2  # to torch a multiply-add is two


def paper_extra(classes: int, channels: int, batch: int, covariance: str = 'full') -> float:
    """The paper's count: ``C A^2 + A^2 + 3 C A^2 / B + 2 C A`` full, ``3 C A + 2 C A + 3 C A / B`` diagonal.

    Reproduces the "theoretical" columns of Table 3 (full) and, DenseNets apart, of Table 1 (diagonal).

    Raises:
        ValueError: another kind of covariance.
    """
    size = classes * channels
    if _is_full(covariance):
        return size * channels + channels ** 2 + UPDATE * size * channels / batch + 2 * size
    return 3 * size + 2 * size + UPDATE * size / batch


def implementation_extra(classes: int, channels: int, batch: int, covariance: str = 'full',
                         present: float | None = None) -> Extra:
    """The count of ``isda_seg.core``: full, a row of the table is made once per class present, not once per sample;
    diagonal, once per sample or once per class, whichever is less.

    Args:
        classes: C.
        channels: A.
        batch: N.
        covariance: 'full' or 'diagonal'.
        present: U; default the expected number for labels drawn evenly.

    Raises:
        ValueError: another kind of covariance.
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
    """How many different classes a batch of evenly drawn labels holds on average."""
    return classes * (1 - (1 - 1 / classes) ** batch)


def _is_full(covariance: str) -> bool:
    if covariance not in ('full', 'diagonal'):
        raise ValueError(f"covariance must be 'full' or 'diagonal', got {covariance!r}")
    return covariance == 'full'
