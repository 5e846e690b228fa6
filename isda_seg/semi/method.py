"""Base class of the semi-supervised methods: a loss term for unlabelled images and its weight."""
import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

Student = Callable[[Tensor], Tensor]  # maps images (B, 3, H, W) to logits (B, C)


def sigmoid_ramp(epoch: float, length: float) -> float:
    """Return the Pi-model's ramp ``exp(-5 (1 - epoch / length)^2)``, and 1 from epoch ``length`` on."""
    if epoch < 0 or length < 0:
        raise ValueError(f'ramp_epochs and the epoch must be >= 0, got {length} and {epoch}')
    return math.exp(-5 * (1 - epoch / length) ** 2) if epoch < length else 1.0


class Method(nn.Module):
    """Term R of Eq. 19 and its weight eta_2, called as ``method(student, unlabelled)``.

    ``unlabelled`` contains ``views``, a list of differently augmented batches (B, 3, H, W) of the same images, and
    ``index`` (B,), the indices of the images. The method returns the student's logits (B, C) for the first view, which
    the ISDA term for unlabelled images uses, and the scalar R.

    Args:
        eta_2: final weight of R.
        ramp_epochs: number of epochs over which the weight grows by ``sigmoid_ramp``; 0 for a constant weight.
    """

    views = 1  # number of views of each unlabelled image

    def __init__(self, eta_2: float, ramp_epochs: float) -> None:
        super().__init__()
        if eta_2 < 0:
            raise ValueError(f'eta_2 must be >= 0, got {eta_2}')
        sigmoid_ramp(0, ramp_epochs)  # raises an error for a negative length
        self.eta_2, self.ramp_epochs = eta_2, ramp_epochs
        self.epoch: float | None = None  # completed epochs with the fraction of the current one; set by SemiHook

    @property
    def weight(self) -> float:
        """Current eta_2."""
        if self.epoch is None:
            raise RuntimeError(f"the epoch of {type(self).__name__} is not set. Add custom_hooks = "
                               "[dict(type='SemiHook')] to the config, or set method.epoch in your training loop")
        return self.eta_2 * sigmoid_ramp(self.epoch, self.ramp_epochs)

    def join(self, model: nn.Module) -> None:
        """Initialise parts that depend on the model, which has ``backbone`` and ``fc``."""

    def prepare(self, num_unlabelled: int, num_classes: int) -> None:
        """Allocate buffers that depend on the data, before a checkpoint is loaded."""

    def start(self, model: nn.Module) -> None:
        """Initialise the state at the first training step, from the student's initial weights."""

    def after_step(self, model: nn.Module) -> None:
        """Update the state after an optimizer step."""

    def after_epoch(self) -> None:
        """Update the state after a pass over the unlabelled images."""

    def epoch_state(self) -> dict[str, Tensor]:
        """Return the state inside an epoch that the state dict lacks, over all ranks."""
        return {}

    def load_epoch_state(self, state: dict[str, Tensor], first_rank: bool) -> None:
        """Restore the state inside an epoch; sums over ranks are restored on the first one."""

    def predict(self, student: Student, images: Tensor) -> Tensor:
        """Return the logits (B, C) at test time."""
        return student(images)

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the student's logits for the first view, and R."""
        raise NotImplementedError
