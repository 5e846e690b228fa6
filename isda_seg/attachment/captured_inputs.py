"""Captured input of the classifier in its last forward pass, kept until the loss uses it."""
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from isda_seg.attachment.parametrized_weights import is_computed, without_trace
from isda_seg.attachment.sharded_weights import weight_unavailable, whole
from isda_seg.attachment.token_maps import as_map
from isda_seg.core.ops.opaque import opaque
from isda_seg.core.ops.torch_versions import in_backward
from isda_seg.core.ops.transient import Transient
from isda_seg.core.windows import Windows


def weight_of(classifier: nn.Module) -> Tensor:
    """Return the weight as a matrix: (C, A), or (C, A k k) for a k x k convolution, in the order of ``F.unfold``."""
    weight = whole(without_trace(classifier, 'weight'))
    if weight.dim() < 2:
        raise weight_unavailable()
    return weight.flatten(1)


def classifier_input(classifier: nn.Module, features: Tensor, logits: Sequence[int]) -> Tensor | Windows:
    """Return the classifier's input in the layout of its logits (N, C) or (B, C, H, W).

    Logits (N, C) may be the flattened output of a convolution at a single position, such as one of pooled features.
    """
    if isinstance(classifier, nn.Linear) and features.dim() > 1:
        return as_map(features, logits)
    sides = len(getattr(classifier, 'kernel_size', ()))
    if features.dim() != sides + 2:
        raise RuntimeError(f'the input of the classifier {classifier} has {features.dim()} dimensions, ISDA needs '
                           f'{sides + 2}: add a batch dimension with unsqueeze(0)')
    assert isinstance(classifier, _ConvNd)
    x = features if pointwise(classifier) else Windows.of(classifier, features)
    if len(logits) != 2 or {*x.shape[2:]} != {1}:
        return x
    return (x.of_images(slice(None)).patch(*[slice(0, 1)] * sides) if isinstance(x, Windows) else x).flatten(1)


def pointwise(convolution: _ConvNd) -> bool:
    """Return whether each output of the convolution depends on a single input position."""
    padding = convolution.padding  # 'same' and 'valid' add no padding for a kernel of size 1
    return {*convolution.kernel_size, *convolution.stride} == {1} and (isinstance(padding, str) or not any(padding))


class CapturedInput(NamedTuple):
    """Features of one forward pass, with the classifier's weight and bias at the call of the loss."""
    features: Tensor | Windows  # (N, A) or (B, A, h, w), detached
    weight: Tensor              # (C, A)
    bias: Tensor | None         # (C,), detached

    @classmethod
    def of(cls, features: Tensor | Windows, classifier: nn.Module) -> 'CapturedInput':
        """Combine features with the current weight and bias of the classifier."""
        bias: Any = without_trace(classifier, 'bias')
        return cls(features, weight_of(classifier), None if bias is None else whole(bias).detach())


class CapturedInputs(Transient):
    """Captured inputs of one classifier, which is weakly referenced."""

    def __init__(self) -> None:
        self._classifier: weakref.ref[nn.Module] | None = None
        self._weight_copy: Tensor | None = None
        self._last: dict[bool, tuple[Tensor, nn.Module]] = {}  # last pass with gradients (True) and without (False)

    def classifier(self) -> nn.Module | None:
        """Return the classifier; None before ``bind`` or if it has been deleted."""
        return None if self._classifier is None else self._classifier()

    def weight(self) -> Tensor | None:
        """Return the classifier's weight (C, A), or the copy of the last call if there is one; None if not bound."""
        classifier = self.classifier()
        return None if classifier is None else weight_of(classifier) if self._weight_copy is None else self._weight_copy

    def bind(self, classifier: nn.Module) -> None:
        """Bind to a classifier; ValueError for a second one."""
        first = self.classifier()
        if first is not None and first is not classifier:
            raise ValueError('this ISDA loss is already attached to another classifier, and its statistics belong to '
                             'that one: create a separate loss for each classifier')
        self._classifier = weakref.ref(classifier)

    @opaque
    def capture(self, classifier: nn.Module, features: Tensor) -> bool:
        """Store the features of a training pass, and return whether it had gradients.

        Ignore eval mode and recomputation by gradient checkpointing. A pass without gradients is stored too, because it
        may be the first pass of a checkpointed classifier. It does not replace a pass with gradients.
        """
        self.bind(classifier)  # a copied loss binds to its copied classifier
        if not classifier.training or in_backward():
            return False
        self._last[torch.is_grad_enabled()] = features.detach(), classifier
        return torch.is_grad_enabled()

    def has_input(self) -> bool:
        """Return whether the classifier has run since the last training call of the loss."""
        return bool(self._last)

    def empty(self) -> Tensor | None:
        """Return the captured features of a pass with gradients if it had no samples, else None."""
        features = self._last[True][0] if True in self._last else None
        return None if features is None or len(features) else features

    def last(self, logits: Sequence[int]) -> CapturedInput:
        """Return the captured input of the last pass, in the layout of logits of this shape, without clearing it."""
        if in_backward():
            raise RuntimeError('this ISDA loss was called during a backward pass, inside a block that gradient '
                               'checkpointing recomputes. Checkpoint only the network, and call the loss on its output')
        last = self._last.get(True, self._last.get(False))
        if last is None:
            raise RuntimeError('this ISDA loss was called without a new forward pass of its classifier. Each call of '
                               'the loss needs its own forward pass: check whether the loss is called twice, or the '
                               'classifier is not used')
        features, classifier = last
        captured = CapturedInput.of(classifier_input(classifier, features, logits), classifier)
        # A computed weight, or the view of FSDP, exists in the forward pass only.
        temporary: Any = is_computed(classifier, 'weight') or classifier.weight._is_view()  # type: ignore[operator]
        self._weight_copy = captured.weight.detach().clone() if temporary else None
        return captured

    def forget_weight(self) -> None:
        """Discard the copy of the weight, which a loaded state may replace."""
        self._weight_copy = None

    def clear(self) -> None:
        """Discard the captured inputs."""
        self._last.clear()

    def in_eval_mode(self) -> bool:
        """Return whether the classifier is in eval mode. A loss outside of the model may still be in training mode."""
        classifier = self.classifier()
        return classifier is not None and not classifier.training

    def __deepcopy__(self, memo: dict[int, Any]) -> 'CapturedInputs':
        """Return an empty copy, bound to the copy of the classifier if it has been copied before."""
        copied, classifier = CapturedInputs(), memo.get(id(self.classifier()))
        if isinstance(classifier, nn.Module):
            copied.bind(classifier)
        return copied
