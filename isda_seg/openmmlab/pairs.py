"""Find the ISDA losses of a model, each with its classifier. Plain torch."""
from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from isda_seg.attachment.classifier_lookup import CONVOLUTIONS, classifier_of
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.per_call import PerCallLosses


class Pair(NamedTuple):
    """An ISDA loss and the classifier of its logits."""
    name: str               # of the holder in the model
    holder: nn.Module       # the module that directly holds the loss
    loss: ISDACriterion
    classifier: nn.Module
    place: str              # name of the loss in the holder


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
    for name, holder in model.named_modules():
        for place, _, _, loss in () if is_list(holder) else listed(holder):
            if not isinstance(loss, ISDACriterion):
                continue
            try:
                classifier = classifier_of(holder, loss, place)
            except ValueError as error:
                raise ValueError(f'{name or "the model"} ({type(holder).__name__}): {error}. ISDA does not support '
                                 'this head: replace the ISDALoss by the original loss') from None
            yield Pair(name, holder, loss, classifier, place)


def is_list(module: nn.Module) -> bool:
    """Return whether the losses in a module belong to the module that holds it; a dict with layers may be a head."""
    if isinstance(module, nn.ModuleDict):
        return not any(isinstance(part, (nn.Linear, *CONVOLUTIONS)) for part in module.modules())
    return isinstance(module, (nn.ModuleList, PerCallLosses))


def listed(holder: nn.Module, within: str = '') -> Iterator[tuple[str, nn.Module, str, nn.Module]]:
    """Yield what a module directly holds, alone or in lists: its path, its direct parent, its key there, and itself."""
    for key, child in holder.named_children():
        if is_list(child):
            yield from listed(child, f'{within}{key}.')
        else:
            yield f'{within}{key}', holder, key, child
