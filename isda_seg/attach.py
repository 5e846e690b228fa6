"""Attach an ISDA loss to the classifier whose input it needs. Plain torch.

This module is callable: ``from isda_seg import attach`` imports it, and ``attach(...)`` calls its function ``attach``.
"""
import math
import sys
import warnings
from itertools import chain
from types import ModuleType

from torch import Tensor, nn

from isda_seg.attachment.captured_inputs import CapturedInputs, pointwise
from isda_seg.attachment.classifier_lookup import CONVOLUTIONS
from isda_seg.attachment.parametrized_weights import without_trace
from isda_seg.attachment.supported_losses import check_class_weight
from isda_seg.criterion import ISDACriterion

MAX_GIB = 1  # memory of covariances, in GiB, above which attach warns; an upper bound for windows


def attach(loss: ISDACriterion, classifier: nn.Module, align_corners: bool = False) -> None:
    """Register a forward pre-hook on ``classifier`` that passes its input to ``loss``.

    The function is idempotent and never resets statistics.

    Args:
        loss: an ``ISDACriterion`` (``ISDALoss`` is a subclass).
        classifier: the layer that computes the logits, an ``nn.Linear``, ``nn.Conv1d``, ``nn.Conv2d`` or ``nn.Conv3d``
            with at least 2 outputs. The input of a Linear has shape (N, A), (B, h w, A) or (B, h, w, A), with any
            number of spatial dimensions. A k x k convolution is treated as a 1x1 convolution on its windows.
        align_corners: option of the linear, bilinear or trilinear resizing of the logits between classifier and loss.

    Warns:
        UserWarning: covariances need more than 1 GiB.

    Raises:
        ValueError: another kind of loss or classifier, a second classifier, statistics of another shape, another number
            of class weights, a background outside the classes, or full covariances of windows above 1 GiB.
    """
    if not isinstance(loss, ISDACriterion):
        raise ValueError(f'attach expects an ISDACriterion or ISDALoss, got {type(loss).__name__}')
    classes, channels = check_classifier(classifier, loss.covariance)
    check_class_weight(loss.base, classes)
    if loss.background not in (None, *range(classes)):
        raise ValueError(f'background={loss.background} is not one of the {classes} classes (0..{classes - 1}) of the '
                         'classifier: give the number of its background class, or None')
    loss.prepare(classes, channels)
    loss.captured.bind(classifier)
    tensor = next(chain(classifier.parameters(), classifier.buffers()), None)  # a computed weight is not read here
    loss.to((without_trace(classifier, 'weight') if tensor is None else tensor).device)
    loss.align_corners, loss.attached = align_corners, True
    if not any(getattr(hook, '__self__', None) is loss for hook in classifier._forward_pre_hooks.values()):
        # A bound method, so that a deep copy of the model calls the copy of the loss.
        classifier.register_forward_pre_hook(loss.capture, with_kwargs=True)


def detach(loss: ISDACriterion, classifier: nn.Module) -> None:
    """Undo ``attach``: remove the hook, so that the classifier can be scripted and saved like any other module.

    The loss keeps its statistics and can be attached again. ValueError if it is not attached to this classifier.
    """
    hooks = classifier._forward_pre_hooks
    keys = [key for key, hook in hooks.items() if getattr(hook, '__self__', None) is loss]
    if not keys:
        raise ValueError(f'the loss is not attached to this {type(classifier).__name__}')
    for key in keys:
        hooks.pop(key)
        classifier._forward_pre_hooks_with_kwargs.pop(key, None)
    loss.attached, loss.captured = False, CapturedInputs()


def check_classifier(module: nn.Module, covariance: str) -> tuple[int, int]:
    """Return the numbers of classes C and channels A of a supported classifier; ValueError for another one.

    They come from the module's attributes, because ``FullyShardedDataParallel`` may change the shape of the weight.
    """
    if not isinstance(module, (nn.Linear, *CONVOLUTIONS)):
        inner = [f'{name} ({type(child).__name__})' for name, child in module.named_modules()
                 if isinstance(child, (nn.Linear, *CONVOLUTIONS))]
        remedy = f': pass the layer inside it that computes the logits; its last one is {inner[-1]}' if inner else ''
        if inner and not isinstance(module, nn.Sequential):
            remedy = (f'. If a single layer computes the logits ({", ".join(inner)}), pass that one. If something is '
                      'added to its output, as in LoRA, no layer does: merge the adapter, or exclude the classifier')
        elif isinstance(module, (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)):
            remedy = ': upsample the features with it, and compute the logits with a 1x1 convolution'
        elif not inner and isinstance(getattr(module, 'weight', None), Tensor):
            remedy = (': if it normalises features and weight, normalise the features in a layer before a Linear, and '
                      'parametrize the weight of the Linear (docs/method_card.md, cosine classifiers)')
        raise ValueError(f'the classifier must be a Linear or a convolution, got {type(module).__name__}{remedy}')
    outputs = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    if outputs < 2:
        raise ValueError(f'ISDA needs a softmax over at least 2 classes, the classifier has {outputs} output channel: '
                         'use a classifier with one output per class')
    if not isinstance(module, nn.Linear) and module.groups > 1:
        raise ValueError(f'the classifier {module} has {module.groups} groups. Its classes have different features and '
                         'therefore no common covariance: use a classifier with groups=1')
    of_windows = not isinstance(module, nn.Linear) and not pointwise(module)
    channels = module.in_features if isinstance(module, nn.Linear) else \
        module.in_channels * math.prod(module.kernel_size)
    if channels == 0:
        raise ValueError(f'the classifier {module} does not know its number of inputs yet: run the model once before '
                         'attach')
    size = 4 * channels ** 2 * (outputs if covariance == 'full' else 1) / 2 ** 30
    if covariance in ('full', 'shared') and size > MAX_GIB:
        if of_windows:
            raise ValueError(f'a {covariance} covariance of the {channels} channels of each window of {module} needs '
                             f"{size:.1f} GiB, more than the limit of {MAX_GIB} GiB: use covariance='diagonal'")
        warnings.warn(f'{covariance} covariances of {outputs} classes x {channels} channels need {size:.1f} GiB in the '
                      f"model and in each checkpoint. covariance='diagonal' needs {size / channels:.3f} GiB",
                      stacklevel=3)
    return outputs, channels


class _CallableModule(ModuleType):
    """Module type that makes this module callable like its function ``attach``."""

    def __call__(self, loss: ISDACriterion, classifier: nn.Module, align_corners: bool = False) -> None:
        """Call ``attach``."""
        attach(loss, classifier, align_corners)


sys.modules[__name__].__class__ = _CallableModule
