"""Which layer makes the logits that a loss gets. Plain torch."""
from torch import nn

from isda_seg.attachment.captured_inputs import pointwise
from isda_seg.attachment.supported_heads import classifiers, refusal

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


def num_outputs(module: nn.Module) -> int | None:
    """How many logits a Linear or plain 1x1 convolution makes; None for any other, which is not found by structure."""
    if isinstance(module, nn.Linear):
        return module.out_features
    if isinstance(module, CONVOLUTIONS) and module.groups == 1 and pointwise(module):
        return module.out_channels
    return None


def classifier_of(holder: nn.Module, loss: nn.Module, place: str) -> nn.Module:
    """The classifier in ``holder`` whose logits the loss at ``place`` in it gets.

    Raises:
        ValueError: it has none, or several.
    """
    reason, wanted = refusal(holder), getattr(loss, 'classifier', None)
    if reason is not None:
        raise ValueError(reason)
    children = dict(holder.named_children())
    if wanted is None:
        known = classifiers(holder, place)
        if known == ():
            raise ValueError(f'{place} gets the logits of no softmax classifier')
        wanted = None if known is None else known[0]
    if wanted is not None:
        inner = {name: child for name, child in holder.named_modules() if isinstance(child, (nn.Linear, *CONVOLUTIONS))}
        if wanted not in inner:
            raise ValueError(f'it has no classifier named {wanted!r}; the layers in it are {list(inner)}')
        return inner[wanted]
    classes = getattr(holder, 'num_classes', None)
    found = {key: child for key, child in children.items() if num_outputs(child) is not None}
    fitting = {key: child for key, child in found.items() if num_outputs(child) != 1 and
               classes in (None, num_outputs(child))}
    if len(fitting) == 1:
        return next(iter(fitting.values()))
    outputs = {key: num_outputs(child) for key, child in found.items()}
    hint = (f"if {place} gets the logits of one of them, name it: dict(type='isda_seg.losses.ISDALoss', lambda_0=..., "
            f'classifier={next(iter(fitting))!r})') if fitting else \
        'one output is that of a sigmoid' if 1 in outputs.values() else 'what makes its logits is another module'
    raise ValueError(f'ISDA needs exactly one softmax classifier (a Linear or 1x1 convolution with num_classes='
                     f'{classes} outputs) directly in the module that holds the loss, found {len(fitting)} among '
                     f'{outputs}; {hint}')
