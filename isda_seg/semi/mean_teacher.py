"""Mean Teacher (Tarvainen and Valpola, NeurIPS 2017): consistency with an exponential moving average of the weights."""
import copy
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from isda_seg.classification.classifier import classify
from isda_seg.semi.method import Method, Student


class Teacher(nn.Module):
    """Copy of backbone and linear layer without gradients."""

    def __init__(self, backbone: nn.Module, fc: nn.Linear) -> None:
        super().__init__()
        self.backbone, self.fc = copy.deepcopy(backbone), copy.deepcopy(fc)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, C)."""
        return classify(images, self.backbone, self.fc)


@MODELS.register_module()
class MeanTeacher(Method):
    """Mean squared difference between the probabilities of student and teacher (Section 5).

    The teacher's weights are an exponential moving average (EMA) of the student's weights with decay
    ``min(1 - 1 / (t + 1), decay)`` after t updates. The teacher receives a separate view, with separate dropout and
    batch normalisation, and keeps its own running statistics; MMEngine's averaged models copy the student's. The
    teacher is used at test time.

    Args:
        eta_2: as in ``Method``; 100 if the labelled loss is averaged over labelled images.
        decay: maximum decay of the EMA.
    """

    views = 2
    updates: Tensor

    def __init__(self, eta_2: float = 100.0, ramp_epochs: float = 100, decay: float = 0.999) -> None:
        super().__init__(eta_2, ramp_epochs)
        if not 0 <= decay < 1:
            raise ValueError(f'decay must be in [0, 1), got {decay}')
        self.decay = decay
        self.register_buffer('updates', torch.zeros((), dtype=torch.int64))

    def join(self, model: Any) -> None:
        """Create the teacher, before hooks are registered on the student's layers."""
        self.teacher = Teacher(model.backbone, model.fc)

    @torch.no_grad()
    def start(self, model: Any) -> None:
        """Copy the student's initial weights to the teacher."""
        self.updates.zero_()
        self.teacher.backbone.load_state_dict(model.backbone.state_dict())
        self.teacher.fc.load_state_dict(model.fc.state_dict())

    @torch.no_grad()
    def after_step(self, model: Any) -> None:
        """Update the EMA with the student's weights."""
        keep = min(1 - 1 / (int(self.updates) + 1), self.decay)
        student = [*model.backbone.parameters(), *model.fc.parameters()]
        torch._foreach_lerp_(list(self.teacher.parameters()), student, 1 - keep)
        self.updates += 1

    def predict(self, student: Student, images: Tensor) -> Tensor:
        """Return the logits of the teacher."""
        return self.teacher(images)

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        """Return the student's logits for the first view, and R."""
        first, second = unlabelled['views']
        logits = student(first)
        with torch.no_grad():
            target = self.teacher(second).softmax(dim=1)
        return logits, mse_loss(logits.softmax(dim=1), target)
