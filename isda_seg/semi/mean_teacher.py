"""Mean Teacher (Tarvainen and Valpola, NeurIPS 2017): the student follows the running mean of its own weights."""
import copy
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from isda_seg.classification.classifier import classify
from isda_seg.semi.method import Method, Student


class Teacher(nn.Module):
    """A backbone and a linear layer that no optimizer changes."""

    def __init__(self, backbone: nn.Module, fc: nn.Linear) -> None:
        super().__init__()
        self.backbone, self.fc = copy.deepcopy(backbone), copy.deepcopy(fc)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        return classify(images, self.backbone, self.fc)


@MODELS.register_module()
class MeanTeacher(Method):
    """Mean squared difference of the student's and the teacher's probabilities (Section 5).

    The teacher's weights are the mean of the student's with decay ``min(1 - 1 / (t + 1), decay)`` after t updates. It
    looks at a view of its own, with dropout of its own and normalised by its batch, and its running statistics are
    those of what it saw; MMEngine's averaged models copy the student's. The teacher is tested.

    Args:
        eta_2, ramp_epochs: as in ``Method``; 100 where the labelled loss is a mean over labelled images.
        decay: of the mean.
    """

    views = 2

    def __init__(self, eta_2: float = 100.0, ramp_epochs: float = 100, decay: float = 0.999) -> None:
        super().__init__(eta_2, ramp_epochs)
        if not 0 <= decay < 1:
            raise ValueError(f'decay must lie in 0..1, without 1, got {decay}')
        self.decay = decay
        self.register_buffer('updates', torch.zeros((), dtype=torch.int64))

    def join(self, model: nn.Module) -> None:
        """Make the teacher, before any hook is on the student's layers."""
        self.teacher = Teacher(model.backbone, model.fc)

    @torch.no_grad()
    def start(self, model: nn.Module) -> None:
        """Teacher and student start from the same weights."""
        self.updates.zero_()
        for name, module in (('backbone', model.backbone), ('fc', model.fc)):
            getattr(self.teacher, name).load_state_dict(module.state_dict())

    @torch.no_grad()
    def after_step(self, model: nn.Module) -> None:
        """Fold the student's weights in."""
        keep = min(1 - 1 / (int(self.updates) + 1), self.decay)
        for name, module in (('backbone', model.backbone), ('fc', model.fc)):
            torch._foreach_lerp_(list(getattr(self.teacher, name).parameters()), list(module.parameters()), 1 - keep)
        self.updates += 1

    def predict(self, student: Student, images: Tensor) -> Tensor:
        """The teacher's logits."""
        return self.teacher(images)  # type: ignore[no-any-return]

    def forward(self, student: Student, unlabelled: dict[str, Any]) -> tuple[Tensor, Tensor]:
        first, second = unlabelled['views']
        logits = student(first)
        with torch.no_grad():
            target = self.teacher(second).softmax(dim=1)
        return logits, mse_loss(logits.softmax(dim=1), target)
