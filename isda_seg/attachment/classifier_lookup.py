"""Lookup of the layer that computes the logits of a loss. Plain torch."""
from torch import nn

from isda_seg.attachment.captured_inputs import pointwise
from isda_seg.attachment.supported_heads import classifiers, unsupported_reason

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def num_outputs(module: nn.Module) -> int | None:
    """Return the number of outputs of a Linear or ungrouped 1x1 convolution; None for any other module."""
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, CONVOLUTIONS) and module.groups == 1 and pointwise(module):
        return module.out_channels
    return None


def classifier_of(head: nn.Module, loss: nn.Module, path: str) -> nn.Module:
    """Return the classifier in ``head``, which may be a whole model, that computes the logits of the loss.

    ``path`` is the path of the loss in the head, such as 'loss_decode.0'. An attribute ``classifier`` of the loss
    names the classifier. Without a classifier, or with several candidates, it raises a ValueError.
    """
    reason, wanted = unsupported_reason(type(head)), getattr(loss, 'classifier', None)
    if reason is not None:
        raise ValueError(reason)
    children = dict(head.named_children())
    if wanted is None:
        known = classifiers(head, path)
        if known == ():
            raise ValueError(f'{path} does not receive the logits of a softmax classifier')
        wanted = None if known is None else known[0]
    if wanted is not None:
        inner = {name: child for name, child in head.named_modules() if isinstance(child, (nn.Linear, *CONVOLUTIONS))}
        if wanted not in inner:
            raise ValueError(f'no classifier is named {wanted!r}; choose one of {list(inner)}')
        return _supported(inner[wanted])
    classes = getattr(head, 'num_classes', None)
    layers = {key: child for key, child in children.items() if num_outputs(child) is not None}
    fitting = {key: child for key, child in layers.items() if num_outputs(child) != 1 and
               classes in (None, num_outputs(child))}
    if len(fitting) == 1:
        return _supported(next(iter(fitting.values())))
    outputs = {key: num_outputs(child) for key, child in layers.items()}
    hint = (f"if {path} receives the logits of one of them, name it: dict(type='isda_seg.losses.ISDALoss', "
            f'lambda_0=..., classifier={next(iter(fitting))!r})') if fitting else \
        'a single output means a sigmoid' if 1 in outputs.values() else 'another module computes its logits'
    raise ValueError(f'ISDA needs exactly one softmax classifier (a Linear or 1x1 convolution with num_classes='
                     f'{classes} outputs) directly in the module that holds the loss, found {len(fitting)} among '
                     f'{outputs}; {hint}')


def _supported(classifier: nn.Module) -> nn.Module:
    """Return the classifier; ValueError with the reason for one that is not linear in its features."""
    if (reason := unsupported_reason(type(classifier))) is not None:
        raise ValueError(reason)
    return classifier
