"""The Pi-model (Laine and Aila, ICLR 2017): two looks at an image should give the same prediction."""
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor
from torch.nn.functional import mse_loss

from isda_seg.semi.method import Method, Student


@MODELS.register_module()
class PiModel(Method):
    """Mean squared difference of the probabilities for two views, each with its own dropout (Section 5).

    Args:
        eta_2, ramp_epochs: as in ``Method``. 100 is the original's 100 M/N where the labelled loss is a mean over the
            whole batch; here it is one over labelled images.
        detach: gradients flow into the first view only; the original lets them into both.
    """

    views = 2

    def __init__(self, eta_2: float = 100.0, ramp_epochs: float = 100, detach: bool = False) -> None:
        super().__init__(eta_2, ramp_epochs)
        self.detach = detach

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        first, second = unlabelled['views']
        logits, again = student(first), student(second)
        again = again.detach() if self.detach else again
        return logits, mse_loss(logits.softmax(dim=1), again.softmax(dim=1))
