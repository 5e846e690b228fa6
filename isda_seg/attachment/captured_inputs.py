"""What entered the classifier in the last forward pass, until the loss takes it."""
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isda_seg.attachment.sharded_weights import taken_back, whole
from isda_seg.attachment.token_maps import as_map
from isda_seg.compat import in_backward
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.windows import Windows


def weight_of(classifier: nn.Module) -> Tensor:
    """(C, A) of a Linear or a 1x1 convolution; (C, A k k) of a k x k one, in the order of its windows."""
    weight = whole(classifier.weight)
    if weight.dim() < 2:
        raise taken_back()
    return weight.flatten(1)


def seen(classifier: nn.Module, features: Tensor, logits: Sequence[int]) -> Tensor | Windows:
    """What entered the classifier, with the positions of the logits (N, C) or (B, C, H, W) made of it."""
    if isinstance(classifier, nn.Linear):
        return as_map(features, logits)
    if isinstance(classifier, nn.Conv1d):
        return features.unsqueeze(-1)  # points (B, A, P) as a map of one column
    if isinstance(classifier, nn.Conv2d) and features.dim() == 4 and not pointwise(classifier):
        return Windows.of(classifier, features)
    return features


def pointwise(convolution: nn.Conv1d | nn.Conv2d) -> bool:
    """Whether each output is a function of the one position below it."""
    padding = convolution.padding  # 'same' and 'valid' add nothing to a kernel of 1
    return {*convolution.kernel_size, *convolution.stride} == {1} and (isinstance(padding, str) or not any(padding))


def lent(classifier: nn.Module) -> bool:
    """Whether the weight is a view of others, as ``FullyShardedDataParallel`` lends it for as long as it computes."""
    weight: Any = classifier.weight
    return bool(weight._is_view())


class CapturedInput(NamedTuple):
    """One forward pass, and the classifier's numbers when the loss is called: some are made anew in each pass."""
    features: Tensor | Windows  # (N, A) or (B, A, h, w), detached
    weight: Tensor              # (C, A)
    bias: Tensor | None         # (C,), detached

    @classmethod
    def of(cls, features: Tensor | Windows, classifier: nn.Module) -> 'CapturedInput':
        """Of these features through this classifier."""
        bias: Any = classifier.bias
        return cls(features, weight_of(classifier), None if bias is None else whole(bias).detach())


class CapturedInputs:
    """Those of one classifier, which is remembered but not held."""

    def __init__(self) -> None:
        self._classifier: weakref.ref[nn.Module] | None = None
        self._lent: Tensor | None = None
        self._last: dict[bool, tuple[Tensor, nn.Module]] = {}  # of the last passes with (True) and without gradients

    def classifier(self) -> nn.Module | None:
        """Theirs, if it is known and still there."""
        return None if self._classifier is None else self._classifier()

    def weight(self) -> Tensor | None:
        """(C, A) of the classifier as it is now, or was in the last call if it is lent to it; None without one."""
        classifier = self.classifier()
        return None if classifier is None else weight_of(classifier) if self._lent is None else self._lent

    def belong_to(self, classifier: nn.Module) -> None:
        """ValueError for a second classifier."""
        first = self.classifier()
        if first is not None and first is not classifier:
            raise ValueError('this ISDA loss is attached to another classifier already, and its statistics are of that '
                             'one: give each classifier a loss of its own')
        self._classifier = weakref.ref(classifier)

    @opaque
    def keep(self, classifier: nn.Module, features: Tensor) -> None:
        """Remember a pass that trains: not in eval mode, nor one that a checkpointed classifier computes again.

        A pass without gradients may be the first one of such a classifier, but does not displace one with gradients.
        """
        self.belong_to(classifier)  # of a copied loss, its copied classifier
        if classifier.training and not in_backward():
            self._last[torch.is_grad_enabled()] = features.detach(), classifier

    def waiting(self) -> bool:
        """Whether the classifier has run since the loss was last called with gradients."""
        return bool(self._last)

    def last(self, logits: Sequence[int]) -> CapturedInput:
        """The record of the last pass, in the layout of logits of this shape; it stays until it is let go.

        Raises:
            RuntimeError: there is none, or it would serve a second time, inside a gradient-checkpointed block; tokens
                that are no map of the logits' shape.
        """
        if in_backward():
            raise RuntimeError('this ISDA loss was called inside a backward pass: it stands in a block that gradient '
                               'checkpointing computes twice. Checkpoint the network alone and call the loss on what '
                               'it returns')
        last = self._last.get(True, self._last.get(False))
        if last is None:
            raise RuntimeError('this ISDA loss was called without a new forward pass of its classifier: one forward '
                               'pass serves one call (is the loss called twice, or the classifier not used?)')
        features, classifier = last
        record = CapturedInput.of(seen(classifier, features, logits), classifier)
        self._lent = record.weight.detach().clone() if lent(classifier) else None
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
        return CapturedInputs().__dict__
