"""Arguments of one call of the loss, and the settings that determine its value."""
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isda_seg.attachment import base_losses
from isda_seg.attachment.captured_inputs import CapturedInput
from isda_seg.core.averaging import Averaging


class Call(NamedTuple):
    """One call of the loss."""
    captured: CapturedInput
    logits: Tensor
    labels: Tensor
    ignore_index: int
    strength: float
    tau: float          # of logit adjustment
    background: int | None  # class without margins
    base: nn.Module
    kwargs: Mapping[str, Any]  # of the base loss
    factor: float       # of the base loss
    align_corners: bool
    label_sampling: str

    @property
    def features(self) -> Tensor:
        """The input (B, A, h, w) of a 1x1 classifier, or samples (N, A)."""
        assert isinstance(self.captured.features, Tensor)
        return self.captured.features

    @property
    def weight(self) -> Tensor:
        """The weight (C, A) of the classifier."""
        return self.captured.weight

    def averaging(self) -> Averaging | None:
        """Return how the base loss averages cross-entropies; None if this is not known."""
        averaging = base_losses.averaging_of(self.base, self.labels, self.kwargs, self.factor)
        learned = averaging is not None and averaging.class_weight is not None and averaging.class_weight.requires_grad
        return None if learned else averaging

    def uniform_averaging(self) -> Averaging | None:
        """Return ``averaging()`` if each labelled sample has the same weight, else None."""
        averaging = self.averaging()
        return averaging if averaging is not None and averaging.uniform else None

    def base_value(self, logits: Iterable[Tensor], labels: Tensor, ignored: int) -> Tensor:
        """Return the mean of the base loss over several logits; ``ignored`` is the ignore index of the labels."""
        if self.averaging() is None:
            labels = labels.clone()  # another loss may change its labels in place; the backward pass reads them
        labels, ignore_index = base_losses.labels_for_base(self.base, labels, ignored, self.ignore_index)
        values = [base_losses.value(self.base, each, labels, ignore_index, self.kwargs, self.factor) for each in logits]
        return values[0] if len(values) == 1 else torch.stack(values).mean(dim=0)

    def dense(self) -> 'Call':
        """Return the call with the rows of a map of features next to each other."""
        features = self.features
        if features.dim() == 2 or features.stride(2) == features.shape[3] * features.stride(3):
            return self
        return self._replace(captured=self.captured._replace(features=features.contiguous()))

    def part(self, samples: int) -> 'Call':
        """Return the call for the first image, or some samples, with its own gradients."""
        part = slice(1 if self.logits.dim() > 2 else samples)
        captured = self.captured._replace(features=self.features[part], weight=self.weight.detach().requires_grad_())
        return self._replace(captured=captured, logits=self.logits[part].detach().requires_grad_(),
                             labels=self.labels[part])
