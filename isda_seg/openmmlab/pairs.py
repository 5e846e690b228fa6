"""Find the ISDA losses of a model, each with its classifier. Plain torch."""
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from isda_seg.attachment.classifier_lookup import CONVOLUTIONS, classifier_of
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.per_call import PerCallLosses


class Pair(NamedTuple):
    """An ISDA loss and the classifier of its logits."""
    name: str               # of the head in the model
    head: nn.Module         # the module that directly holds the loss
    loss: ISDACriterion
    classifier: nn.Module
    path: str               # name of the loss in the head


class HookedLoss(ISDACriterion):
    """Base class of ``ISDALoss``: an ISDA loss whose strength ``ISDAHook`` sets."""
    lambda_0: float
    loss_name: str          # key in the training log
    ignore_background: bool


class HookedPair(Pair):
    """A pair whose strength ``ISDAHook`` sets."""
    loss: HookedLoss


def find_pairs(model: nn.Module) -> Iterator[Pair]:
    """Yield every ISDA loss in the model with its classifier, found by structure.

    The module that directly holds an ISDA loss (or a list of losses with one) must directly hold exactly one
    classifier with ``num_classes`` outputs. If there are several, ``loss.classifier`` names one. The classifiers of
    special heads of MMSegmentation are listed in ``supported_heads``.
    """
    for name, head in model.named_modules():
        for path, _, _, loss in () if is_list(head) else direct_children(head):
            if not isinstance(loss, ISDACriterion):
                continue
            try:
                classifier = classifier_of(head, loss, path)
            except ValueError as error:
                raise ValueError(f'{name or "the model"} ({type(head).__name__}): {error}. ISDA does not support '
                                 'this head: replace the ISDALoss by the original loss') from None
            yield Pair(name, head, loss, classifier, path)


def is_list(module: nn.Module) -> bool:
    """Return whether the losses in a module belong to the module that holds it; a dict with layers may be a head."""
    if isinstance(module, nn.ModuleDict):
        return not any(isinstance(part, (nn.Linear, *CONVOLUTIONS)) for part in module.modules())
    return isinstance(module, (nn.ModuleList, PerCallLosses))


def direct_children(head: nn.Module, within: str = '') -> Iterator[tuple[str, nn.Module, str, nn.Module]]:
    """Yield what a module directly holds, alone or in lists: its path, its direct parent, its key there, and itself."""
    for key, child in head.named_children():
        if is_list(child):
            yield from direct_children(child, f'{within}{key}.')
        else:
            yield f'{within}{key}', head, key, child
