"""Connect an ISDA loss with the classifier whose input it needs. Plain torch.

This module is callable: ``from isda_seg import attach`` imports it, and ``attach(...)`` calls its function ``attach``.
"""
import math
import sys
from types import ModuleType

from torch import nn

from isda_seg.attachment.base_losses import check_class_weight
from isda_seg.attachment.captured_inputs import CapturedInputs, pointwise
from isda_seg.attachment.classifier_lookup import CONVOLUTIONS
from isda_seg.criterion import ISDACriterion

LARGEST = 1  # GiB of covariances of windows


def attach(loss: ISDACriterion, classifier: nn.Module, align_corners: bool = False) -> None:
    """Let ``loss`` see what enters ``classifier``: a forward pre-hook. Idempotent; never resets statistics.

    Args:
        loss: an ``ISDACriterion`` (``ISDALoss`` is one).
        classifier: the ``nn.Linear``, ``nn.Conv2d`` or ``nn.Conv1d`` of kernel 1 that makes the logits, with at least
            2 outputs. A Linear may see samples (N, A), tokens (B, h w, A) or maps (B, h, w, A). A k x k convolution is
            one of 1x1 on its windows.
        align_corners: how logits of images are resized to their labels between classifier and loss, bilinearly.

    Raises:
        ValueError: another kind of loss or classifier, a second classifier, statistics of another shape, another number
            of class weights, or full covariances of windows that take more than 1 GiB.
    """
    if not isinstance(loss, ISDACriterion):
        raise ValueError(f'attach expects an ISDA loss, got {type(loss).__name__}')
    classes, channels = check_classifier(classifier, loss.covariance)
    check_class_weight(loss.base, classes)
    loss.prepare(classes, channels)
    loss.captured.belong_to(classifier)
    loss.to(classifier.weight.device)  # type: ignore[arg-type]
    loss.align_corners, loss.attached = align_corners, True
    if not any(getattr(hook, '__self__', None) is loss for hook in classifier._forward_pre_hooks.values()):
        # A bound method: a deepcopy binds to its own copy.
        classifier.register_forward_pre_hook(loss.record, with_kwargs=True)


def detach(loss: ISDACriterion, classifier: nn.Module) -> None:
    """Undo ``attach``, after training: the classifier runs, scripts and saves as if it had never been attached.

    The loss keeps its statistics, and may be attached again.

    Raises:
        ValueError: the loss is not attached to this classifier.
    """
    hooks = classifier._forward_pre_hooks
    found = [key for key, hook in hooks.items() if getattr(hook, '__self__', None) is loss]
    if not found:
        raise ValueError(f'the loss is not attached to this {type(classifier).__name__}')
    for key in found:
        hooks.pop(key)
        classifier._forward_pre_hooks_with_kwargs.pop(key, None)
    loss.attached, loss.captured = False, CapturedInputs()


def check_classifier(module: nn.Module, covariance: str) -> tuple[int, int]:
    """C and A; ValueError for a module whose logits have no table of this covariance, with the reason and a remedy.

    Not from the weight's shape: ``FullyShardedDataParallel`` may leave a part of it here, or nothing.
    """
    if not isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        inner = [f'{name} ({type(child).__name__})' for name, child in module.named_modules()
                 if isinstance(child, (nn.Linear, *CONVOLUTIONS))]
        remedy = f': name the layer in it that makes the logits, its last one is {inner[-1]}' if inner else ''
        raise ValueError(f'the classifier must be a Linear or a convolution, got {type(module).__name__}{remedy}')
    outputs = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    if outputs < 2:
        raise ValueError(f'ISDA needs a softmax over at least 2 classes, the classifier has {outputs} output channel')
    if isinstance(module, nn.Linear):
        return outputs, module.in_features
    if module.groups > 1:
        raise ValueError(f'the classifier {module} has {module.groups} groups, so its classes see different features, '
                         'of which there is no common covariance: use a classifier with groups=1')
    if isinstance(module, nn.Conv1d) and not pointwise(module):
        raise ValueError(f'the classifier {module} sees windows of points, and only a Conv1d of kernel 1 is served')
    channels = module.in_channels * math.prod(module.kernel_size)
    size = 4 * channels ** 2 * (outputs if covariance == 'full' else 1) / 2 ** 30
    if covariance in ('full', 'shared') and not pointwise(module) and size > LARGEST:
        raise ValueError(f'a {covariance} covariance of the {channels} numbers in each window of {module} takes '
                         f"{size:.1f} GiB, and more than {LARGEST} GiB are refused: use covariance='diagonal'")
    return outputs, channels


class _CallableModule(ModuleType):
    """A module with the name of its main function, which a call of the module calls."""

    def __call__(self, loss: ISDACriterion, classifier: nn.Module, align_corners: bool = False) -> None:
        """Call ``attach``."""
        attach(loss, classifier, align_corners)


sys.modules[__name__].__class__ = _CallableModule
