"""Connect an ISDA loss with the classifier whose input it needs. Plain torch."""
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from isda_seg.criterion import ISDACriterion
from isda_seg.records import pointwise

LARGEST = 1  # GiB of covariances of windows


class Pair(NamedTuple):
    """An ISDA loss, the module that directly holds it and that module's one classifier."""
    name: str
    holder: nn.Module
    loss: ISDACriterion
    classifier: nn.Module


def attach(loss: ISDACriterion, classifier: nn.Module, align_corners: bool = False) -> None:
    """Let ``loss`` see what enters ``classifier``: a forward pre-hook. Idempotent; never resets statistics.

    Args:
        loss: an ``ISDACriterion`` (``ISDALoss`` is one).
        classifier: the ``nn.Linear`` or ``nn.Conv2d`` that makes the logits, with at least 2 outputs. A Linear may see
            samples (N, A), tokens (B, h w, A) or maps (B, h, w, A). A k x k convolution is one of 1x1 on its windows.
        align_corners: how logits of images are resized to their labels between classifier and loss, bilinearly.

    Raises:
        ValueError: another kind of loss or classifier, a second classifier, statistics of another shape, or full
            covariances of windows that take more than 1 GiB.
    """
    if not isinstance(loss, ISDACriterion):
        raise ValueError(f'attach expects an ISDA loss, got {type(loss).__name__}')
    loss.prepare(*check_classifier(classifier, loss.covariance))
    loss.records.belong_to(classifier)
    loss.to(classifier.weight.device)  # type: ignore[arg-type]
    loss.align_corners, loss.attached = align_corners, True
    if not any(getattr(hook, '__self__', None) is loss for hook in classifier._forward_pre_hooks.values()):
        # A bound method: a deepcopy binds to its own copy.
        classifier.register_forward_pre_hook(loss.record, with_kwargs=True)


def check_classifier(module: nn.Module, covariance: str) -> tuple[int, int]:
    """C and A; ValueError for a module whose logits have no table of this covariance, with the reason and a remedy.

    Not from the weight's shape: ``FullyShardedDataParallel`` may leave a part of it here, or nothing.
    """
    if not isinstance(module, (nn.Linear, nn.Conv2d)):
        inner = [f'{name} ({type(child).__name__})' for name, child in module.named_modules()
                 if isinstance(child, (nn.Linear, nn.Conv2d))]
        remedy = f': name the layer in it that makes the logits, its last one is {inner[-1]}' if inner else ''
        raise ValueError(f'the classifier must be a Linear or a Conv2d, got {type(module).__name__}{remedy}')
    outputs = module.out_features if isinstance(module, nn.Linear) else module.out_channels
    if outputs < 2:
        raise ValueError(f'ISDA needs a softmax over at least 2 classes, the classifier has {outputs} output channel')
    if isinstance(module, nn.Linear):
        return outputs, module.in_features
    if module.groups > 1:
        raise ValueError(f'the classifier {module} has {module.groups} groups, so its classes see different features, '
                         'of which there is no common covariance: use a classifier with groups=1')
    channels = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
    size = 4 * channels ** 2 * (outputs if covariance == 'full' else 1) / 2 ** 30
    if covariance in ('full', 'shared') and not pointwise(module) and size > LARGEST:
        raise ValueError(f'a {covariance} covariance of the {channels} numbers in each window of {module} takes '
                         f"{size:.1f} GiB, and more than {LARGEST} GiB are refused: use covariance='diagonal'")
    return outputs, channels


def num_outputs(module: nn.Module) -> int | None:
    """How many logits a Linear or plain 1x1 Conv2d makes; None for any other, which is not found by structure."""
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, nn.Conv2d) and module.groups == 1 and pointwise(module):
        return module.out_channels
    return None


def find_pairs(model: nn.Module) -> Iterator[Pair]:
    """Every ISDA loss in the model with its classifier, found by structure.

    The module that directly holds an ISDA loss (or a ModuleList of losses with one) must directly hold exactly one
    classifier with ``num_classes`` outputs; ``loss.classifier`` names it where there are several.

    Raises:
        ValueError: names the module and what was found instead.
    """
    for name, holder in model.named_modules():
        if isinstance(holder, nn.ModuleList):
            continue
        for child in holder.children():
            for loss in child if isinstance(child, nn.ModuleList) else [child]:
                if isinstance(loss, ISDACriterion):
                    yield Pair(name, holder, loss, _classifier(name, holder, getattr(loss, 'classifier', None)))


def _classifier(name: str, holder: nn.Module, wanted: str | None) -> nn.Module:
    head = f'{name or "the model"} ({type(holder).__name__})'
    children = dict(holder.named_children())
    if wanted is not None:
        if wanted not in children or num_outputs(children[wanted]) is None:
            raise ValueError(f'{head} has no classifier named {wanted!r}; it holds {sorted(children)}')
        return children[wanted]
    classes = getattr(holder, 'num_classes', None)
    found = {key: child for key, child in children.items() if num_outputs(child) is not None}
    fitting = {key: child for key, child in found.items() if classes in (None, num_outputs(child))}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    outputs = {key: num_outputs(child) for key, child in found.items()}
    raise ValueError(
        f'{head}: ISDA needs exactly one softmax classifier (a Linear or 1x1 Conv2d with num_classes={classes} '
        f'outputs) directly in the module that holds the loss, found {len(fitting)} among {outputs}. Heads with '
        'several classifiers, mask classification or one sigmoid output keep their plain loss; if one classifier '
        "makes the logits of this loss, name it: classifier='...'")
