"""What every semi-supervised base method is: one term for unlabelled images, its weight, and what it remembers."""
import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

Student = Callable[[Tensor], Tensor]  # images (B, 3, H, W) to logits (B, C)


def sigmoid_ramp(epoch: float, length: float) -> float:
    """``exp(-5 (1 - epoch / length)^2)`` up to ``length`` epochs, then 1: the Pi-model's ramp; length 0: always 1.

    Raises:
        ValueError: a negative epoch or length.
    """
    if epoch < 0 or length < 0:
        raise ValueError(f'epoch and length of a ramp must be at least 0, got {epoch} and {length}')
    return math.exp(-5 * (1 - epoch / length) ** 2) if epoch < length else 1.0


class Method(nn.Module):
    """R of Eq. 19 and its weight eta_2. A method is called as ``method(student, unlabelled)``.

    ``unlabelled`` holds ``views``, a list of differently augmented batches (B, 3, H, W) of the same images, and
    ``index`` (B,), which images they are. It returns the student's logits (B, C) for the first view, with gradients,
    which ISDA's own term augments, and R, a scalar.

    Args:
        eta_2: final weight of R.
        ramp_epochs: epochs over which the weight grows by ``sigmoid_ramp``; 0: none.
    """

    views = 1  # how many a training image has to come in

    def __init__(self, eta_2: float, ramp_epochs: float) -> None:
        super().__init__()
        if eta_2 < 0:
            raise ValueError(f'eta_2 must be at least 0, got {eta_2}')
        sigmoid_ramp(0, ramp_epochs)  # refuses a negative length
        self.eta_2, self.ramp_epochs = eta_2, ramp_epochs
        self.epoch: float | None = None  # epochs done, with the fraction of the present one; set by SemiHook

    @property
    def weight(self) -> float:
        """eta_2 now.

        Raises:
            RuntimeError: nobody has said which epoch it is.
        """
        if self.epoch is None:
            raise RuntimeError(f"{type(self).__name__} does not know how far training is: add custom_hooks = "
                               "[dict(type='SemiHook')] to the config, or set method.epoch in your own loop")
        return self.eta_2 * sigmoid_ramp(self.epoch, self.ramp_epochs)

    def join(self, model: nn.Module) -> None:
        """The model this is part of has been built: it holds ``backbone`` and ``fc``."""

    def prepare(self, num_unlabelled: int, num_classes: int) -> None:
        """The data are known; before a checkpoint is loaded."""

    def start(self, model: nn.Module) -> None:
        """Training from its first step, with the weights the student starts from."""

    def after_step(self, model: nn.Module) -> None:
        """The optimizer has changed the student."""

    def after_epoch(self) -> None:
        """Every unlabelled image has been seen once more."""

    def predict(self, student: Student, images: Tensor) -> Tensor:
        """The logits (B, C) that are tested."""
        return student(images)

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        raise NotImplementedError
