"""Training steps of a classifier, timed with several losses in alternation."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.timing import alternate, quartiles, relative

STRENGTH = 0.5
BASELINE, CLOSED = 'plain', 'closed form'


def time_losses(model: Any, losses: Mapping[str, ISDACriterion], batch: int, size: int, meter: Meter,
                rounds: int) -> dict[str, Any]:
    """Time a training step with cross-entropy and with each loss.

    The model has a linear classifier ``fc``, to which this function attaches the ``losses``; images are of ``size`` x
    ``size`` pixels.

    Returns:
        ``samples``: seconds per step by name, including the cross-entropy baseline. ``extra_time``: median and
        quartiles of the extra time by name, as a fraction of the baseline step of the same round.
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

    functions: dict[str, Callable[[Tensor, Tensor], Tensor]] = {BASELINE: F.cross_entropy, **losses}
    samples = alternate({name: step(loss) for name, loss in functions.items()}, rounds,
                        meter.seconds)
    return dict(samples=samples,
                extra_time={name: quartiles(relative(samples[name], samples[BASELINE])) for name in losses})


def time_samples(model: Any, covariance: str, num_samples: Sequence[int], batch: int, size: int, meter: Meter,
                 rounds: int) -> dict[str, Any]:
    """Time the closed form (Eq. 7) and M explicit samples (Eq. 5), the time axis of Fig. 10; see ``time_losses``."""
    losses = {CLOSED: ISDACriterion(covariance),
              **{str(m): ISDACriterion(covariance, samples=m) for m in num_samples}}
    return time_losses(model, losses, batch, size, meter, rounds)
