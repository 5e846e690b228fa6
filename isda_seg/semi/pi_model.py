"""Pi-model (Laine and Aila, ICLR 2017): consistency between the predictions for two views of an image."""
from typing import Any

from mmengine.registry import MODELS
from torch import Tensor
from torch.nn.functional import mse_loss

from isda_seg.semi.method import Method, Student


@MODELS.register_module()
class PiModel(Method):
    """Mean squared difference between the probabilities for two views with separate dropout (Section 5).

    Args:
        eta_2: as in ``Method``. The original uses 100 M/N with a labelled loss averaged over the whole batch, which
            equals 100 here, where it is averaged over labelled images.
    """

    views = 2

    def __init__(self, eta_2: float = 100.0, ramp_epochs: float = 100) -> None:
        super().__init__(eta_2, ramp_epochs)

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the student's logits for the first view, and R."""
        first, second = unlabelled['views']
        logits, again = student(first), student(second)
        return logits, mse_loss(logits.softmax(dim=1), again.softmax(dim=1))
