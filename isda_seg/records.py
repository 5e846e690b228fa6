"""What entered the classifier in the last forward pass, until the loss takes it."""
import weakref
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isda_seg.compat import in_backward


def weight_of(classifier: nn.Module) -> Tensor:
    """(C, A) of a Linear or a 1x1 convolution."""
    return classifier.weight.flatten(1)  # type: ignore[operator]


class Record(NamedTuple):
    """One forward pass."""
    features: Tensor       # (N, A) or (B, A, h, w), detached
    classifier: nn.Module  # whose weight is read when the loss is called: some are made anew in each forward pass

    @property
    def weight(self) -> Tensor:
        """(C, A)."""
        return weight_of(self.classifier)

    @property
    def bias(self) -> Tensor | None:
        """(C,)."""
        return self.classifier.bias  # type: ignore[return-value]


class Records:
    """Those of one classifier, which is remembered but not held."""

    def __init__(self) -> None:
        self._classifier: weakref.ref[nn.Module] | None = None
        self._last: dict[bool, Record] = {}  # of the last passes with (True) and without gradients (False)

    def classifier(self) -> nn.Module | None:
        """Theirs, if it is known and still there."""
        return None if self._classifier is None else self._classifier()

    def belong_to(self, classifier: nn.Module) -> None:
        """ValueError for a second classifier."""
        first = self.classifier()
        if first is not None and first is not classifier:
            raise ValueError('this ISDA loss is attached to another classifier already, and its statistics are of that '
                             'one: give each classifier a loss of its own')
        self._classifier = weakref.ref(classifier)

    def keep(self, classifier: nn.Module, features: Tensor) -> None:
        """Remember a pass that trains: not in eval mode, nor one that a checkpointed classifier computes again.

        A pass without gradients may be the first one of such a classifier, but does not displace one with gradients.
        """
        self.belong_to(classifier)  # of a copied loss, its copied classifier
        if classifier.training and not in_backward():
            if isinstance(classifier, nn.Linear) and features.dim() > 2:
                features = features.flatten(0, -2)
            elif isinstance(classifier, nn.Conv1d):
                features = features.unsqueeze(-1)  # points (B, A, P) as a map of one column
            self._last[torch.is_grad_enabled()] = Record(features.detach(), classifier)

    def waiting(self) -> bool:
        """Whether the classifier has run since the loss was last called with gradients."""
        return bool(self._last)

    def last(self) -> Record:
        """The record of the last pass, which stays until it is let go.

        Raises:
            RuntimeError: there is none, or it would serve a second time, inside a gradient-checkpointed block.
        """
        if in_backward():
            raise RuntimeError('this ISDA loss was called inside a backward pass: it stands in a block that gradient '
                               'checkpointing computes twice. Checkpoint the network alone and call the loss on what '
                               'it returns')
        record = self._last.get(True, self._last.get(False))
        if record is None:
            raise RuntimeError('this ISDA loss was called without a new forward pass of its classifier: one forward '
                               'pass serves one call (is the loss called twice, or the classifier not used?)')
        return record

    def let_go(self) -> None:
        """The last passes have been served."""
        self._last.clear()

    def evaluate(self) -> bool:
        """Whether the classifier is in eval mode, as where a loss outside of the model is not."""
        classifier = self.classifier()
        return classifier is not None and not classifier.training

    def __getstate__(self) -> dict[str, Any]:
        """A copy starts without the records of the original, whose classifier is not its own."""
        return Records().__dict__
