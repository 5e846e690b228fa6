"""A whole training step of a classifier with one loss after another, in turn."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import alternate, relative, spread

STRENGTH = 0.5
PLAIN, CLOSED = 'plain', 'closed form'


def time_losses(model: nn.Module, losses: Mapping[str, ISDACriterion], batch: int, size: int, meter: Meter,
                rounds: int) -> dict[str, Any]:
    """Samples of a step with plain cross-entropy and with each loss, and what each takes more within a round.

    Args:
        model: ends in a linear layer ``fc``, on the meter's device.
        losses: by name; they are attached here.
        batch: images in a step.
        size: their height and width.
        meter: of the device.
        rounds: that count.

    Returns:
        ``samples`` in seconds by name, plain's included; ``extra_time`` by name, median and quartiles of the share of a
        plain step.
    """
    images = torch.randn(batch, 3, size, size, device=meter.device)
    labels = torch.randint(model.fc.out_features, (batch,), device=meter.device)
    for loss in losses.values():
        attach(loss, model.fc)
        loss.strength = STRENGTH
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, nesterov=True, weight_decay=1e-4)

    def step(loss: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], None]:
        def train() -> None:
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
        return train

    samples = alternate({name: step(loss) for name, loss in {PLAIN: F.cross_entropy, **losses}.items()}, rounds,
                        meter.seconds)
    return dict(samples=samples,
                extra_time={name: spread(relative(samples[name], samples[PLAIN])) for name in losses})


def time_draws(model: nn.Module, covariance: str, draws: Sequence[int], batch: int, size: int, meter: Meter,
               rounds: int) -> dict[str, Any]:
    """``time_losses`` of the closed form (Eq. 7) and of M draws (Eq. 5): the time axis of Fig. 10."""
    losses = {CLOSED: ISDACriterion(covariance), **{str(m): ISDACriterion(covariance, samples=m) for m in draws}}
    return time_losses(model, losses, batch, size, meter, rounds)
